/**
 * Questions over many runs, for people who look at a deployment. Each is bounded: it looks at so many rows and no more,
 * says where it did not see all of them, and is broken off when it takes too long (`QueryTimeout`). `storage/overview.ts`
 * answers.
 */
import type { Failure } from "./failure.ts";
import type { EntryKind, EntryOutcome, Wait } from "./journal.ts";
import type { RunFilter } from "./reads.ts";
import type { RunRef, RunStatus } from "./run.ts";
import type { TickState } from "./tick.ts";

/** How many there are; at least so many where it is not exact. */
export interface Count {
  readonly count: number;
  readonly exact: boolean;
}

/** Counting stops here. */
export const COUNT_LIMIT = 10_000;

/** The statuses, with `waiting` parted: `sleeping` runs wait for nothing but time. */
export const COUNTED = [
  "ready",
  "running",
  "sleeping",
  "waiting",
  "paused",
  "completed",
  "cancelled",
  "failed",
  "dead",
] as const;

/** `deadLetters` are the failed and dead ones that nobody discarded. */
export type RunCounts = Readonly<Record<(typeof COUNTED)[number] | "deadLetters", Count>>;

/** The last entry of a run's journal, without its payload. */
export interface LastEntry {
  readonly kind: EntryKind;
  readonly key: string | null;
  readonly outcome: EntryOutcome;
  readonly attempt: number;
  readonly recordedAt: number;
  readonly retryAt: number | null;
  /** The message has at most 200 characters. */
  readonly failure: Pick<Failure, "name" | "message"> | null;
}

/** What a waiting run waits for: of several the one that began first. */
export interface Standstill {
  readonly kind: "sleep" | "retry" | "branch" | Wait["kind"];
  readonly key: string;
  /** The signal, the channel, the child's id. */
  readonly name: string | null;
  readonly until: number | null;
  /** How many others it waits for, counted up to 300. */
  readonly others: number;
}

/** Where a run stands. */
export interface Standing {
  readonly runId: string;
  readonly last: LastEntry | null;
  /** Null unless it is waiting. */
  readonly waitsFor: Standstill | null;
}

/** A journal entry as a waterfall shows it: its times, and no payload. */
export interface TimelineEntry extends Omit<LastEntry, "failure"> {
  readonly seq: number;
  readonly turn: number;
  /** Since when it could have begun; null where that is not known or means nothing. */
  readonly queuedAt: number | null;
  readonly startedAt: number;
  /** It ran apart from its run's turn. */
  readonly branch: boolean;
  /** The run that it started. */
  readonly childId: string | null;
  /** Of the output, as Postgres stores it: what is large is compressed. */
  readonly outputBytes: number | null;
  /** The message has at most 500 characters. */
  readonly failure: Pick<Failure, "code" | "name" | "message"> | null;
}

/** What is under way in a run, and since when. */
export interface Live {
  /** Of a running run: when its turn was claimed. */
  readonly turnBegunAt: number | null;
  readonly sleeps: readonly { readonly key: string; readonly begunAt: number; readonly dueAt: number }[];
  readonly branches: readonly {
    readonly key: string;
    readonly begunAt: number;
    /** While it is performed. */
    readonly turnBegunAt: number | null;
  }[];
}

/** Runs that a filter fits. */
export interface Matching {
  readonly matching: Count;
  /** Of the newest, at most ten. */
  readonly sampleIds: readonly string[];
}

/** Dead letters of one kind: one workflow, one step, one error. */
export interface DeadLetterGroup {
  readonly fingerprint: string;
  readonly workflow: string;
  readonly step: string | null;
  /** Of the newest: what its step threw. The message has at most 500 characters. */
  readonly name: string;
  readonly message: string;
  readonly count: number;
  readonly failed: number;
  readonly dead: number;
  /** When the first and the last of them ended. */
  readonly firstAt: number;
  readonly lastAt: number;
  /** Ascending. */
  readonly versions: readonly number[];
  /** How many ended in each of the last 24 hours, the oldest first. */
  readonly hours: readonly number[];
  /** The newest run. */
  readonly sampleId: string;
}

/** What became of the runs of one workflow that were created in a range of time. */
export interface WorkflowStats {
  readonly name: string;
  readonly versions: readonly { readonly version: number; readonly runs: number; readonly lastAt: number }[];
  readonly started: number;
  readonly completed: number;
  /** Failed and dead. */
  readonly failed: number;
  readonly cancelled: number;
  readonly live: number;
  /** From the first turn to the end, of those that completed; null when none did. */
  readonly p50Ms: number | null;
  readonly p95Ms: number | null;
}

/** A range of time that ends now, by the database's clock. */
export interface Range {
  readonly from: number;
  readonly to: number;
  /** False when there were more runs in it than were looked at. */
  readonly exact: boolean;
}

/** What runs wait for: a wait's kind, with hooks told from other signals. */
export const AWAITED = ["signal", "hook", "message", "child", "person", "mutation"] as const;
export type Awaited = (typeof AWAITED)[number];

/** A run that waits for something. */
export interface WaitingRun {
  readonly runId: string;
  readonly workflow: string;
  readonly status: RunStatus;
  readonly key: string;
  readonly kind: Awaited;
  /** The signal, the channel, the child's id; of a hook the step that made it. */
  readonly name: string;
  readonly begunAt: number;
  readonly dueAt: number | null;
}

/** Something that runs wait for, and how many do. */
export interface AwaitedName {
  readonly kind: Awaited;
  readonly name: string;
  readonly count: number;
  readonly oldestAt: number;
}

export interface WaitFilter {
  readonly kind?: Awaited | undefined;
  readonly name?: string | undefined;
}

/** Where the last page of waits ended. */
export interface WaitPosition {
  readonly runId: string;
  readonly key: string;
}

/** How the machinery is doing. */
export interface SystemState extends TickState {
  readonly lastMigration: string | null;
  /** Runs and branches that are due and that nobody has claimed. */
  readonly due: Count;
  readonly oldestDueAt: number | null;
  readonly leased: Count;
  /** Leases that have run out and that no sweep has taken back yet. */
  readonly expired: Count;
  readonly eventsPending: Count;
  readonly eventsDead: Count;
  readonly bulkActions: number;
  readonly databaseBytes: number;
  readonly tables: readonly { readonly name: string; readonly bytes: number; readonly rows: number }[];
}

/** A run that nothing would move again. */
export interface StuckRun {
  readonly runId: string;
  readonly status: string;
  readonly reason: string;
}

/** What began and ended in a stretch of time. */
export interface Bucket {
  readonly at: number;
  readonly started: number;
  readonly completed: number;
  /** Failed and dead. */
  readonly failed: number;
  readonly cancelled: number;
}

/** How a step did, in the runs that were looked at. */
export interface StepStats {
  readonly workflow: string;
  /** Its name: the repeats and items of one step are taken together. */
  readonly step: string;
  readonly runs: number;
  readonly attempts: number;
  /** Attempts that were followed by another. */
  readonly retries: number;
  /** Those that used up the last attempt. */
  readonly failures: number;
  readonly p50Ms: number;
  readonly p95Ms: number;
  readonly p99Ms: number;
}

/** How long attempts of steps took that ended in a stretch of time. */
export interface Latency {
  readonly at: number;
  readonly p50Ms: number;
  readonly p95Ms: number;
  readonly p99Ms: number;
}

export interface Metrics extends Range {
  /** Oldest first, without the empty ones. */
  readonly buckets: readonly Bucket[];
  readonly latency: readonly Latency[];
  readonly steps: readonly StepStats[];
}

export interface Overview {
  /** How many runs the filter fits, by status; its own statuses are left out of account. */
  countRuns(tenant: string, filter: RunFilter): Promise<RunCounts>;
  /** Where these runs stand, in any order. */
  standings(tenant: string, runIds: readonly string[]): Promise<Standing[]>;
  /** Oldest first; null when there is no such run. */
  timeline(ref: RunRef, limit: number, after: number): Promise<TimelineEntry[] | null>;
  matching(tenant: string, kind: "runs" | "deadLetters", filter: RunFilter): Promise<Matching>;
  /** Of the newest 10,000 dead letters, the largest groups first; exact when these are all. */
  deadLetterGroups(
    tenant: string,
    filter: RunFilter,
  ): Promise<{ readonly groups: readonly DeadLetterGroup[]; readonly exact: boolean }>;
  /** Of the newest 20,000 runs. */
  workflowStats(
    tenant: string,
    rangeMs: number,
  ): Promise<Range & { readonly workflows: readonly WorkflowStats[] }>;
  /** Of runs that are not over, the newest run first. */
  waits(tenant: string, filter: WaitFilter, limit: number, after: WaitPosition | null): Promise<WaitingRun[]>;
  /** What most runs wait for, of 10,000 waits; exact when these are all. */
  awaitedNames(tenant: string): Promise<{ readonly names: readonly AwaitedName[]; readonly exact: boolean }>;
  system(tenant: string): Promise<SystemState>;
  /** Null when it took too long to find out. */
  stuckRuns(tenant: string, limit: number): Promise<readonly StuckRun[] | null>;
  /** Of the newest 50,000 runs, and the steps of the newest 2,000. */
  metrics(tenant: string, rangeMs: number, bucketMs: number, workflow: string | null): Promise<Metrics>;
  /** Nothing of a run that is not there. */
  live(ref: RunRef): Promise<Live>;
}
