import type { Clock } from "./engine/ports.ts";

/** This worker's own time, for one invocation. What is due is never asked of it, only of the database. */
export function createClock(): Clock {
  let channel: MessageChannel | undefined;
  const resting: (() => void)[] = [];
  return {
    now: () => Date.now(),
    sleep,
    rest: {
      // A message is a task of its own, after all microtasks; a timer would round up to a millisecond.
      settled: () =>
        new Promise((resolve) => {
          channel ??= open(() => resting.shift()?.());
          resting.push(resolve);
          channel.port2.postMessage(null);
        }),
      grace: () => sleep(20),
    },
  };
}

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

function open(onMessage: () => void): MessageChannel {
  const channel = new MessageChannel();
  channel.port1.onmessage = onMessage;
  return channel;
}
