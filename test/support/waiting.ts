/** Waiting for what has happened, instead of for time to pass. */
import { setTimeout as pause } from "node:timers/promises";

const PATIENCE_MS = 30_000;
const POLL_MS = 15;

/** Asks until the answer is neither undefined, false nor an error, and gives it. */
export async function eventually<T>(
  what: string,
  ask: () => Promise<T | undefined | false> | T | undefined | false,
): Promise<T> {
  let problem: unknown;
  for (const until = Date.now() + PATIENCE_MS; Date.now() < until; await pause(POLL_MS)) {
    try {
      const answer = await ask();
      if (answer !== undefined && answer !== false) return answer;
      problem = undefined;
    } catch (error) {
      problem = error;
    }
  }
  throw new Error(`It never happened that ${what}.`, { cause: problem });
}

/** Holds whoever passes until it is opened. */
export interface Gate<T> {
  /** Who has come so far. */
  readonly arrivals: readonly T[];
  /** The first to come. */
  readonly reached: Promise<T>;
  pass(who: T): Promise<unknown>;
  /** Lets through who waits and who comes later, each with this answer. */
  open(answer?: unknown): void;
}

export function gate<T>(): Gate<T> {
  const arrivals: T[] = [];
  const first = Promise.withResolvers<T>();
  const opened = Promise.withResolvers<unknown>();
  return {
    arrivals,
    reached: first.promise,
    pass(who) {
      arrivals.push(who);
      first.resolve(who);
      return opened.promise;
    },
    open: (answer) => opened.resolve(answer),
  };
}
