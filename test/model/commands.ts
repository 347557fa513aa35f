/** Random commands for a store: what one gives goes into the next. The same seed gives the same. */
import type { Rows } from "../storage/support/bed.ts";
import { Chance } from "./chance.ts";
import { append, message, postToHook, signal, signalGroup, word } from "./commands/arrivals.ts";
import { claimBranches, commitBranch, holdBranch, transact } from "./commands/branches.ts";
import { type Act, Choices, type Make, type Side } from "./commands/choices.ts";
import { fork, look, move } from "./commands/people.ts";
import { events, loss, sweep, time } from "./commands/sweeps.ts";
import { claim, claimAsSuspect, commit, holdRun, start } from "./commands/turns.ts";

/** How often each is done, of so many in all. */
const WEIGHTS: readonly (readonly [make: Make, weight: number])[] = [
  [start, 2],
  [claim, 6],
  [claimAsSuspect, 2],
  [commit, 6],
  [holdRun, 1],
  [claimBranches, 4],
  [commitBranch, 3],
  [holdBranch, 3],
  [transact, 1],
  [signal, 3],
  [signalGroup, 2],
  [postToHook, 1],
  [word, 1],
  [append, 3],
  [message, 7],
  [move, 9],
  [fork, 2],
  [look, 4],
  [sweep, 4],
  [loss, 1],
  [events, 7],
  [time, 2],
];

const MAKES = WEIGHTS.flatMap(([make, weight]) => Array.from({ length: weight }, () => make));

/** Far enough apart that the seeds of commands never meet. */
const APART = 100_003;

export class Commands {
  private readonly ids = new Map<string, string[]>();
  private readonly seed: number;

  constructor(seed: number) {
    this.seed = seed;
  }

  /**
   * The command of that number, from what a side was given and holds so far; every side must have been given the same.
   * It has dice of its own, so that one which is left out changes little of those after it.
   */
  next(number: number, side: Side, rows: Rows): Act {
    const chance = new Chance(this.seed * APART + number);
    return chance.pick(MAKES)(new Choices(chance, this.ids, side, rows));
  }
}
