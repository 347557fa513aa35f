import type { Clock } from "./engine/ports.ts";

/** This worker's own time. What is due is never asked of it, only of the database. */
export const clock: Clock = {
  now: () => Date.now(),
  sleep,
  rest: {
    // Reading a body goes once through the runtime's event loop, after all microtasks. In workerd a message of a
    // MessageChannel arrives after two of them, and a timer rounds up to a millisecond.
    settled: async () => {
      await new Response("rest").text();
    },
    grace: () => sleep(20),
  },
};

/** Longer than a timer can count (2^31 - 1 ms) is longer than any invocation lives. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

function sleep(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const over = () => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", over);
      resolve();
    };
    const timer = setTimeout(over, Math.min(ms, LONGEST_TIMER_MS));
    if (signal?.aborted) over();
    else signal?.addEventListener("abort", over);
  });
}
