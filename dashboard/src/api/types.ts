/** What the API answers, as `docs/api.md` tells it. Instants are ISO 8601 strings in UTC. */
import type { Status } from "../models/status.ts";

export interface Session {
  readonly role: "admin" | "read";
  readonly expiresAt: string | null;
  readonly deployment: string | null;
}

export interface Failure {
  readonly code: string;
  readonly name: string;
  readonly message: string;
  readonly stack?: string;
  readonly cause?: Failure;
  readonly step?: string;
  readonly child?: { readonly runId: string; readonly status: string };
}

export interface Run {
  readonly id: string;
  readonly workflow: string;
  readonly version: number;
  readonly status: Status;
  readonly createdAt: string;
  readonly startedAt: string | null;
  readonly finishedAt: string | null;
  readonly wakeAt: string | null;
  readonly deadlineAt: string | null;
  readonly discardedAt: string | null;
  readonly leaseExpiresAt: string | null;
  readonly currentStep: string | null;
  readonly stepsDone: number;
  readonly turn: number;
  readonly lostTurns: number;
  readonly tags: readonly string[];
  readonly idempotencyKey: string | null;
  readonly failure: Failure | null;
  readonly phase: "forward" | "compensating";
  readonly failedCompensations: number;
  readonly pausedAt: string | null;
  readonly parentId: string | null;
  readonly continuedFrom: string | null;
  readonly continuedTo: string | null;
  readonly forkedFrom: string | null;
  readonly deployment: string | null;
}

/** A run in a list: with the last thing that happened in it, and what it waits for. */
export interface RunRow extends Run {
  readonly last: {
    readonly kind: string;
    readonly key: string | null;
    readonly outcome: Outcome;
    readonly attempt: number;
    readonly recordedAt: string;
    readonly retryAt: string | null;
    readonly failure: { readonly name: string; readonly message: string } | null;
  } | null;
  readonly waitsFor: {
    readonly kind: string;
    readonly key: string;
    readonly name: string | null;
    readonly until: string | null;
    readonly others: number;
  } | null;
}

export interface RunPage {
  readonly runs: readonly RunRow[];
  readonly nextCursor: string | null;
}

export interface RunDetail extends Run {
  readonly inputMeta?: unknown;
  readonly outputMeta?: unknown;
  readonly waits: readonly Wait[];
  readonly branches: readonly Branch[];
  readonly sleeps: readonly Sleep[];
  readonly turnBegunAt: string | null;
}

export interface Wait {
  readonly key: string;
  readonly kind: string;
  readonly name: string;
  readonly begunAt: string;
  readonly dueAt: string | null;
}

export interface Branch {
  readonly key: string;
  readonly attempt: number;
  readonly leased: boolean;
  readonly wakeAt: string | null;
  readonly begunAt: string;
  readonly attemptBegunAt: string | null;
  readonly failures: readonly {
    readonly attempt: number;
    readonly failure: Failure;
    readonly failedAt: string;
  }[];
}

export interface Sleep {
  readonly key: string;
  readonly begunAt: string;
  readonly dueAt: string;
}

export type Outcome = "completed" | "timed_out" | "retrying" | "unknown" | "failed" | "revived";

/** One line of a journal, without its payload. */
export interface Line {
  /** Only of a line that was asked for by itself. */
  readonly outputMeta?: unknown;
  readonly seq: number;
  readonly kind: string;
  readonly key: string | null;
  readonly outcome: Outcome;
  readonly attempt: number;
  readonly turn: number;
  readonly failure: Failure | null;
  readonly startedAt: string;
  readonly recordedAt: string;
  readonly retryAt: string | null;
  readonly queuedAt: string | null;
  readonly branch: boolean;
  readonly childId: string | null;
  readonly outputBytes: number | null;
}

export interface JournalPage {
  readonly entries: readonly Line[];
  readonly nextCursor: string | null;
}

/** Counting stops at 10,000: then it is not exact. */
export interface Count {
  readonly count: number;
  readonly exact: boolean;
}

export type CounterName = Status | "sleeping" | "deadLetters";

export interface Counts {
  readonly counts: Readonly<Record<CounterName, Count>>;
}

export interface Workflow {
  readonly name: string;
  readonly version: number;
  readonly inputSchema: unknown;
}

export interface WorkflowStats {
  readonly exact: boolean;
  readonly from: string;
  readonly to: string;
  readonly workflows: readonly {
    readonly name: string;
    readonly registered: readonly number[];
    readonly seen: readonly { readonly version: number; readonly runs: number; readonly lastAt: string }[];
    readonly started: number;
    readonly completed: number;
    readonly failed: number;
    readonly cancelled: number;
    readonly live: number;
    readonly failureShare: number | null;
    readonly p50Ms: number | null;
    readonly p95Ms: number | null;
  }[];
}

export interface Group {
  readonly fingerprint: string;
  readonly workflow: string;
  readonly step: string | null;
  readonly name: string;
  readonly message: string;
  readonly count: number;
  readonly failed: number;
  readonly dead: number;
  readonly firstAt: string;
  readonly lastAt: string;
  readonly versions: readonly number[];
  readonly newerVersion: number | null;
  readonly registered: boolean;
  readonly hours: readonly number[];
  readonly sampleId: string;
}

export interface Groups {
  readonly groups: readonly Group[];
  readonly exact: boolean;
}

export interface Action {
  readonly id: string;
  readonly at: string;
  readonly by: string;
  readonly verb: string;
  readonly runId: string;
  readonly newRunId: string | null;
  readonly bulkId: string | null;
  readonly note: string | null;
}

export interface ActionPage {
  readonly actions: readonly Action[];
  readonly nextCursor: string | null;
}

export type BulkVerb = "cancel" | "pause" | "resume" | "revive" | "rerun" | "discard";

export type FilterQuery = Readonly<Record<string, string | readonly string[]>>;

/** What a bulk action is about: exactly one of them. */
export interface BulkTarget {
  readonly ids?: readonly string[];
  readonly runs?: FilterQuery;
  readonly deadLetters?: FilterQuery;
}

export interface Bulk {
  readonly id: string;
  readonly verb: BulkVerb;
  readonly status: "running" | "done" | "aborted";
  readonly of: "ids" | "runs" | "deadLetters";
  readonly filter: FilterQuery | null;
  readonly note: string | null;
  readonly by: string;
  readonly rate: number;
  readonly matching: Count;
  readonly seen: number;
  readonly done: number;
  readonly skipped: number;
  readonly failed: number;
  readonly failures: readonly { readonly runId: string; readonly message: string }[];
  readonly createdAt: string;
  readonly updatedAt: string;
  readonly finishedAt: string | null;
}

export interface BulkPage {
  readonly bulks: readonly Bulk[];
  readonly nextCursor: string | null;
}

export interface WaitNames {
  readonly names: readonly {
    readonly kind: string;
    readonly name: string;
    readonly count: number;
    readonly oldestAt: string;
  }[];
  readonly exact: boolean;
}

export interface WaitPage {
  readonly waits: readonly (Wait & {
    readonly runId: string;
    readonly workflow: string;
    readonly status: Status;
  })[];
  readonly nextCursor: string | null;
}

export interface ChannelPage {
  readonly channels: readonly {
    readonly name: string;
    readonly mode: string | null;
    readonly subscribers: number;
    readonly waiting: number;
    readonly messages: number;
  }[];
  readonly nextCursor: string | null;
}

export interface System {
  readonly now: string;
  readonly deployment: string | null;
  readonly migrations: string;
  readonly tick: { readonly at: string | null; readonly ageMs: number | null; readonly late: boolean };
  readonly queue: { readonly due: Count; readonly oldestDueAt: string | null; readonly lagMs: number };
  readonly leases: { readonly running: Count; readonly expired: Count };
  readonly events: { readonly pending: Count; readonly dead: Count };
  readonly database: {
    readonly bytes: number;
    readonly tables: readonly { readonly name: string; readonly bytes: number; readonly rows: number }[];
  };
  readonly stuck: {
    readonly runs: readonly { readonly id: string; readonly status: string; readonly reason: string }[];
    readonly checked: boolean;
  };
  readonly bulk: { readonly running: number };
}

export interface Metrics {
  readonly from: string;
  readonly to: string;
  readonly bucketMs: number;
  readonly exact: boolean;
  readonly buckets: readonly {
    readonly at: string;
    readonly started: number;
    readonly completed: number;
    readonly failed: number;
    readonly cancelled: number;
  }[];
  readonly steps: readonly {
    readonly workflow: string;
    readonly step: string;
    readonly runs: number;
    readonly attempts: number;
    readonly retries: number;
    readonly failures: number;
    readonly retryRate: number;
    readonly p50Ms: number;
    readonly p95Ms: number;
    readonly p99Ms: number;
  }[];
  readonly latency: readonly {
    readonly at: string;
    readonly p50Ms: number | null;
    readonly p95Ms: number | null;
    readonly p99Ms: number | null;
  }[];
  readonly backlog: {
    readonly ready: Count;
    readonly running: Count;
    readonly sleeping: Count;
    readonly waiting: Count;
    readonly oldestDueMs: number;
  };
}

export interface Health {
  readonly status: "ok" | "unavailable";
  readonly lastTickAt: string | null;
  readonly tickAgeMs: number | null;
}
