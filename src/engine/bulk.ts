/** Bulk actions: one verb for many runs, taken in shares by whoever sweeps. */
import type { Count } from "./overview.ts";
import type { RunFilter } from "./reads.ts";
import type { RunStatus } from "./run.ts";

export const BULK_VERBS = ["cancel", "pause", "resume", "revive", "rerun", "discard"] as const;
export type BulkVerb = (typeof BULK_VERBS)[number];

export const BULK_STATUSES = ["running", "done", "aborted"] as const;

const LIVE = ["ready", "running", "waiting"] as const;
const DEAD_LETTER = ["failed", "dead"] as const;

/** The statuses that a verb does something to; all of them where it is not here. */
export const STATUSES_OF: Readonly<Partial<Record<BulkVerb, readonly RunStatus[]>>> = {
  cancel: [...LIVE, "paused"],
  pause: LIVE,
  resume: ["paused"],
  revive: DEAD_LETTER,
  discard: DEAD_LETTER,
};

/** Where the runs come from. */
export type BulkSource =
  | { readonly kind: "ids"; readonly ids: readonly string[] }
  | { readonly kind: "runs" | "deadLetters"; readonly filter: RunFilter };

export interface NewBulk {
  readonly id: string;
  readonly verb: BulkVerb;
  readonly source: BulkSource;
  /** The filter as it was asked for, for people. */
  readonly asked: Readonly<Record<string, unknown>> | null;
  /** Of a cancel. */
  readonly compensate: boolean;
  /** Runs per second, at most. */
  readonly rate: number;
  readonly note: string | null;
  /** The role of whoever asked for it. */
  readonly by: string;
  readonly matching: Count;
  readonly idempotencyKey: string | null;
}

/** A run that could not be moved, and why. */
export interface BulkFailure {
  readonly runId: string;
  readonly message: string;
}

export interface Bulk extends Omit<NewBulk, "source" | "idempotencyKey"> {
  readonly of: BulkSource["kind"];
  readonly status: (typeof BULK_STATUSES)[number];
  readonly done: number;
  /** Their status did not allow it any more, or they were gone. */
  readonly skipped: number;
  readonly failed: number;
  /** Of the first that failed. */
  readonly failures: readonly BulkFailure[];
  readonly createdAt: number;
  readonly updatedAt: number;
  readonly finishedAt: number | null;
}

/** A bulk action whose next share this invocation takes. */
export interface ClaimedBulk extends Pick<NewBulk, "id" | "verb" | "source" | "compensate" | "rate" | "by"> {
  readonly tenant: string;
  /** The fence. */
  readonly turn: number;
  /** The last run that was seen to; null at first. */
  readonly cursor: string | null;
}

/** What one share came to. */
export interface BulkShare {
  /** The last run of the share; the old cursor where it had none. */
  readonly cursor: string | null;
  readonly done: readonly { readonly runId: string; readonly newRunId: string | null }[];
  readonly skipped: number;
  readonly failures: readonly BulkFailure[];
  /** Null when there is no more. */
  readonly nextInMs: number | null;
}

export interface Bulks {
  /** The same idempotency key gives the same bulk action. */
  start(tenant: string, bulk: NewBulk): Promise<{ readonly bulk: Bulk; readonly created: boolean }>;
  find(tenant: string, id: string): Promise<Bulk | null>;
  /** Newest first; `before` is the id that the last page ended with. */
  list(tenant: string, limit: number, before: string | null): Promise<Bulk[]>;
  /** No further share is taken; one that is under way is finished. Null when there is none of that id. */
  abort(tenant: string, id: string): Promise<Bulk | null>;
  /** Takes those that are due, at most `limit`; unless they are advanced they are due again after the lease. */
  claim(limit: number, leaseMs: number): Promise<ClaimedBulk[]>;
  /** Commits what a share came to, with what was done. False when it has been claimed again. */
  advance(bulk: ClaimedBulk, share: BulkShare): Promise<boolean>;
}
