import type { Clock } from "./engine/ports.ts";

/** This worker's own time. What is due is never asked of it, only of the database. */
export const clock: Clock = {
  now: () => Date.now(),
  sleep: (ms, signal) =>
    new Promise((resolve) => {
      const over = () => {
        clearTimeout(timer);
        signal?.removeEventListener("abort", over);
        resolve();
      };
      // Longer than a timer can count (2^31 - 1 ms) is longer than any invocation lives.
      const timer = setTimeout(over, Math.min(ms, 2 ** 31 - 1));
      if (signal?.aborted) over();
      else signal?.addEventListener("abort", over);
    }),
  rest: {
    // A message is a task of its own, after all microtasks; a timer would round up to a millisecond.
    settled: () =>
      new Promise((resolve) => {
        const { port1, port2 } = new MessageChannel();
        port1.onmessage = () => {
          port1.close();
          resolve();
        };
        port2.postMessage(null);
      }),
    grace: () => new Promise((resolve) => setTimeout(resolve, 20)),
  },
};
