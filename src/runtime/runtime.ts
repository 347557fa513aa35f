import type { Bulks } from "../engine/bulk.ts";
import type { History } from "../engine/history.ts";
import type { Overview } from "../engine/overview.ts";
import type { Addresses } from "../engine/platform.ts";
import type { Agenda, Clock, EventSink, Retention, Store, Transactions, WakeUps } from "../engine/ports.ts";
import type { Reads } from "../engine/reads.ts";
import type { Timings } from "../engine/timings.ts";
import type { Registry } from "../engine/workflow.ts";
import type { Marks } from "./marks.ts";
import type { WarmBranches } from "./warm-branches.ts";
import type { WarmRuns } from "./warm-runs.ts";

/** Everything a use case works with. Built once per invocation by `wiring.ts`. */
export interface Runtime {
  readonly store: Store;
  readonly reads: Reads;
  readonly overview: Overview;
  readonly history: History;
  readonly bulks: Bulks;
  readonly timings: Timings;
  readonly wakeUps: WakeUps;
  /** Null where there is none: then every tick sweeps. */
  readonly agenda: Agenda | null;
  readonly marks: Marks;
  readonly clock: Clock;
  readonly registry: Registry;
  readonly settings: Settings;
  /** The version of this worker, where the platform names it. */
  readonly deployment: string | null;
  readonly transactions: Transactions;
  readonly hooks: Hooks;
  /** Where events go. */
  readonly sinks: readonly EventSink[];
  /** Null where no code goes on in another invocation than the one it began in. */
  readonly warmRuns: WarmRuns | null;
  /** Null where every branch is to be replayed for itself. */
  readonly warmBranches: WarmBranches | null;
  /** A new run's id: sorts by time, and after `parent`, so that parents are locked before their children (I11). */
  newRunId(parent?: string): string;
  random(): number;
  uuid(): string;
  /** Tells the operator about something that went wrong and was survived. */
  report(what: string, error: unknown): void;
}

/** Hooks have tokens that are derived from a secret, so that neither the journal nor the database holds one. */
export interface Hooks extends Addresses {
  /** What the database knows of a hook's token. */
  digest(runId: string, key: string): string;
  /** The same of a token that somebody presents. */
  digestToken(token: string): string;
}

export interface Settings extends Retention {
  /** How long a turn may go without renewing before another invocation may take over. */
  readonly leaseMs: number;
  /** I12: how many turns in a row a run may lose before it counts as dead. */
  readonly lostTurnLimit: number;
  /** How long a due run may go unclaimed before its wake-up is sent again. */
  readonly wakeUpGraceMs: number;
  /** How far ahead a tick sends the wake-ups of long sleepers: at least the time between two ticks. */
  readonly sweepHorizonMs: number;
  /** The most runs that one share of a sweep looks after. */
  readonly sweepLimit: number;
  /** What one turn journals, in bytes, before it leaves the rest to the next; and about the most that goes in one commit. */
  readonly turnBytes: number;
  /** How long ticks may do without the database, whatever the agenda says. */
  readonly safetySweepMs: number;
}
