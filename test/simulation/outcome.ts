import type { JournalLine } from "../../src/engine/reads.ts";
import type { RunStatus } from "../../src/engine/run.ts";

/** What came of a run, as its program judges it. */
export interface Outcome {
  readonly status: RunStatus;
  readonly output: unknown;
  readonly journal: readonly JournalLine[];
  /** Step bodies that ran for it, in that order. */
  readonly effects: readonly string[];
  /** Payloads of its signals, in the order in which they were accepted. */
  readonly arrived: readonly unknown[];
  /** Transactions of its own that committed. */
  readonly writes: number;
  /** Another run goes on in its place. */
  readonly continued: boolean;
}
