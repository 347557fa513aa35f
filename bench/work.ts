/** What is asked of every system alike: runs of steps that do nothing, or give a value of some size. */

export interface Work {
  readonly runs: number;
  /** Of each run. */
  readonly steps: number;
  /** All steps of a run side by side, in place of one after the other. */
  readonly parallel?: boolean;
  /** What each step gives: a text of so many bytes, or null. */
  readonly bytes?: number;
  /** A durable sleep after the first step. */
  readonly napMs?: number;
}

/** What a durable system lends its workflow. */
export interface Steps {
  run(): Promise<unknown>;
  sleep(ms: number): Promise<unknown>;
}

/** The workflow of every durable system. */
export async function perform(work: Omit<Work, "runs">, step: Steps): Promise<void> {
  if (work.parallel) {
    await Promise.all(Array.from({ length: work.steps }, () => step.run()));
    return;
  }
  for (let i = 0; i < work.steps; i++) {
    await step.run();
    if (i === 0 && work.napMs !== undefined) await step.sleep(work.napMs);
  }
}

const texts = new Map<number, string>();

/** The same in every system, and nothing that Postgres could compress; null for no bytes. */
export function output(bytes = 0): string | null {
  if (bytes === 0) return null;
  const known = texts.get(bytes) ?? noise(bytes);
  texts.set(bytes, known);
  return known;
}

const LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/** Xorshift: workerd has no randomness outside of a request. */
function noise(length: number): string {
  let state = 0x9e3779b9;
  const next = () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return LETTERS.charAt(state & 63);
  };
  return Array.from({ length }, next).join("");
}
