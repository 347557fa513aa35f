/** What random commands are made of: the same seed gives the same. */
import type { Encoded } from "../../src/engine/codec.ts";
import { diceOf } from "../support/random.ts";

/** Few, so that commands meet. */
const NAMES = ["a", "b", "c"];

export class Chance {
  /** A whole number below `sides`. */
  readonly roll: (sides: number) => number;

  constructor(seed: number) {
    this.roll = diceOf(seed);
  }

  pick<T>(items: readonly T[]): T {
    if (items.length === 0) throw new Error("nothing to pick from");
    return items[this.roll(items.length)] as T;
  }

  /** One in so many times there is one; else there is none. */
  maybe<T>(sides: number, make: () => T): T[] {
    return this.roll(sides) === 0 ? [make()] : [];
  }

  /** True one in so many times. */
  isRare(sides: number): boolean {
    return this.roll(sides) === 0;
  }

  name(): string {
    return this.pick(NAMES);
  }

  value(): Encoded {
    return { json: this.pick([null, 7, "text", [1]]), meta: null };
  }
}
