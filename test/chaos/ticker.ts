/** The cron: ticks a worker every second, whichever answers. */
import type { TestWorker } from "../support/worker.ts";

const EVERY_MS = 1_000;

export interface Ticker {
  readonly ticks: number;
  /** One more, now. It fails like any other request to a worker that is not there. */
  tick(): void;
  pause(): void;
  resume(): void;
  stop(): void;
}

export function startTicker(workers: readonly TestWorker[]): Ticker {
  let ticks = 0;
  let paused = false;
  let next = 0;
  const tick = () => {
    const worker = workers[next++ % workers.length];
    worker?.tick().then(
      () => {
        ticks += 1;
      },
      () => {},
    );
  };
  const timer = setInterval(() => !paused && tick(), EVERY_MS);
  return {
    get ticks() {
      return ticks;
    },
    tick,
    pause() {
      paused = true;
    },
    resume() {
      paused = false;
    },
    stop: () => clearInterval(timer),
  };
}
