import { diceOf } from "../support/random.ts";

/** A whole number below `sides`. */
export type Dice = (sides: number) => number;

const PURPOSES = ["swarm", "storm", "traffic", "trouble", "client"] as const;

/**
 * A stream of its own for each purpose and for the n-th thing of its kind: what is drawn for one does not change what
 * another gets, although their order is the machine's.
 */
export function diceFor(seed: number, purpose: (typeof PURPOSES)[number], n = 0): Dice {
  return diceOf((seed * 1_000_003 + n) * PURPOSES.length + PURPOSES.indexOf(purpose));
}

/** One of them, by their weights. */
export function pick<T extends { readonly weight: number }>(dice: Dice, choices: readonly T[]): T {
  let left = dice(choices.reduce((sum, { weight }) => sum + weight, 0));
  const found = choices.find(({ weight }) => {
    left -= weight;
    return left < 0;
  });
  if (found === undefined) throw new Error("there is nothing to choose from");
  return found;
}

export function shuffled<T>(dice: Dice, items: readonly T[]): T[] {
  const rest = [...items];
  return items.flatMap(() => rest.splice(dice(rest.length), 1));
}
