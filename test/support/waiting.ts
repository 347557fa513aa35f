/** Waiting for what has happened, instead of for time to pass. */
import { setTimeout as pause } from "node:timers/promises";

/** Without any change of the problem; the test's own timeout ends what changes for ever. */
const PATIENCE_MS = 30_000;
const POLL_MS = 15;
/** What is asked for may be slow because everything is: asking takes no more than a quarter of the time. */
const ANSWERS_APART = 3;

/** Asks until the answer is neither undefined, false nor an error, and gives it. A slow machine gets its time as long as it gets on. */
export async function eventually<T>(
  what: string,
  ask: () => Promise<T | undefined | false> | T | undefined | false,
): Promise<T> {
  let problem: Error | undefined;
  let askedMs = 0;
  for (
    let until = Date.now() + PATIENCE_MS;
    Date.now() < until;
    await pause(Math.max(POLL_MS, askedMs * ANSWERS_APART))
  ) {
    const askedAt = Date.now();
    try {
      const answer = await ask();
      if (answer !== undefined && answer !== false) return answer;
    } catch (error) {
      if ((error as Error).message !== problem?.message) until = Date.now() + PATIENCE_MS;
      problem = error as Error;
    }
    askedMs = Date.now() - askedAt;
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
