import type { JournalLine } from "../../../src/engine/reads.ts";
import type { RunStatus } from "../../../src/engine/run.ts";
import type { StoredRun } from "../../model/memory/tables.ts";

/** What came of a run, as its program judges it. */
export interface Outcome {
  readonly status: RunStatus;
  readonly output: unknown;
  readonly journal: readonly JournalLine[];
  /** Step bodies that ran for it, in that order. */
  readonly effects: readonly string[];
  /** How often it, or one of its branches, was claimed. */
  readonly claims: number;
  /** Payloads of its signals, in the order in which they were accepted. */
  readonly arrived: readonly unknown[];
  /** What was published while it listened, oldest first, for each time that it subscribed to the channel. */
  readonly heard: (channel: string) => readonly (readonly unknown[])[];
  /** Messages of the channel that name it, oldest first. */
  readonly addressed: (channel: string) => readonly unknown[];
  /** All messages of its tenant, oldest first. */
  readonly published: readonly unknown[];
  /** What was posted to its hooks and accepted. */
  readonly knocked: readonly unknown[];
  /** Types of the events that it emitted, in their order. */
  readonly emitted: readonly string[];
  /** Transactions of its own that committed. */
  readonly writes: number;
  /** How often a person had an at-most-once step done again. */
  readonly again: number;
  /** Another run goes on in its place. */
  readonly continued: boolean;
  /** What its user was told in the end, by what was asked for: `ok`, or the code of the refusal. */
  readonly told: ReadonlyMap<string, string>;
  readonly stored: StoredRun;
}
