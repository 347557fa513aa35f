/**
 * A store in memory that does what `src/storage` does in SQL: the ground of simulations that run thousands of times a
 * second. Every verb is one transaction: it reads and writes in one synchronous go. The clock stands still until it is
 * moved, and chance comes from outside, so that the same calls always give the same answers.
 */
import type { Store, Transactions } from "../../src/engine/ports.ts";
import type { Reads } from "../../src/engine/reads.ts";
import { SIZES, type Sizes } from "../../src/storage/sizes.ts";
import { createReads } from "./memory/reads.ts";
import { createStore } from "./memory/store.ts";
import { type Stuck, stuckReasons } from "./memory/stuck.ts";
import { allRuns, clearTables, makeTables, type State, type Tables } from "./memory/tables.ts";
import { createTransactions } from "./memory/transactions.ts";
import { violations } from "./memory/violations.ts";

export interface MemoryOptions {
  /** Epoch milliseconds at which the store's clock stands at first. */
  readonly now?: number;
  /** Between 0 and 1; spreads backoffs. 0.5 without it. */
  readonly random?: () => number;
  /** How much one answer may hold; as much as in production without it. */
  readonly sizes?: Sizes;
}

export interface Memory {
  readonly store: Store;
  readonly reads: Reads;
  readonly transactions: Transactions;
  /** The store's one clock, in epoch milliseconds: it stands still until it is moved. */
  now(): number;
  moveClock(ms: number): void;
  /** What breaks a constraint of the tables or an invariant, in words; empty when all is well. Checks everything that is stored. */
  violations(): string[];
  /** Runs that nothing would ever move again: the same rules as the view `pawl.stuck_runs`. */
  stuckRuns(): Stuck[];
  /** The rows, for checks and snapshots. */
  readonly tables: Tables;
  /** Forgets everything that is stored. The clock stays where it is. */
  clear(): void;
  /** The same store with answers of another size. */
  sized(sizes: Sizes): Store;
}

export function createMemory({ now = 0, random = () => 0.5, sizes = SIZES }: MemoryOptions = {}): Memory {
  const state: State = { tables: makeTables(), now, random, sizes };
  return {
    store: createStore(state),
    reads: createReads(state),
    transactions: createTransactions(state),
    now: () => state.now,
    moveClock(ms) {
      state.now += ms;
    },
    violations: () => violations(state),
    stuckRuns: () =>
      [...allRuns(state.tables)].flatMap((run) =>
        stuckReasons(state, run).map((why) => ({ runId: run.row.id, why })),
      ),
    tables: state.tables,
    clear: () => clearTables(state.tables),
    // The clock is the other's.
    sized: (other) => createStore(Object.assign(Object.create(state) as State, { sizes: other })),
  };
}
