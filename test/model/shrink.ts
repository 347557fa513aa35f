/** The fewest commands after which two stores still disagree. */
import { type Disagreement, play, type Stores } from "./play.ts";

/** Each try empties both stores and plays what is left. */
const TRIES = 400;

export interface Shrunk {
  readonly numbers: readonly number[];
  readonly found: Disagreement;
}

/** Leaves out ever smaller pieces, as long as there is a disagreement without them. */
export async function shrink(stores: Stores, seed: number, found: Disagreement): Promise<Shrunk> {
  let best: Shrunk = { numbers: Array.from({ length: found.number + 1 }, (_, i) => i), found };
  let tries = 0;
  for (let size = best.numbers.length >> 1; size > 0 && tries < TRIES; size >>= 1) {
    for (let from = 0; from < best.numbers.length && tries < TRIES; ) {
      const fewer = best.numbers.toSpliced(from, size);
      const still = await play(stores, seed, fewer);
      tries += 1;
      if (still === null) from += size;
      else best = { numbers: fewer.filter((number) => number <= still.number), found: still };
    }
  }
  return best;
}

/** What the commands ask of the stores, a line each, as it would be written in a test. */
export async function callsOf(stores: Stores, seed: number, numbers: readonly number[]): Promise<string[]> {
  const calls: string[] = [];
  const { real } = stores;
  const listening = <T extends object>(verbs: T): T =>
    new Proxy(verbs, {
      get(target, name, receiver) {
        const verb = Reflect.get(target, name, receiver) as (...args: unknown[]) => Promise<unknown>;
        return (...args: unknown[]) => {
          calls.push(`${String(name)}(${args.map((arg) => JSON.stringify(arg)).join(", ")})`);
          return verb(...args);
        };
      },
    });
  const heard = {
    ...real,
    store: listening(real.store),
    reads: listening(real.reads),
    moveClock: (ms: number) => {
      calls.push(`moveClock(${ms})`);
      return real.moveClock(ms);
    },
  };
  await play({ ...stores, real: heard }, seed, numbers);
  return calls;
}
