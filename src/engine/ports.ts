/**
 * What the engine's users provide. `runtime/` speaks to Postgres, the queue and the clock only through
 * these; `storage/`, `queue/` and `wiring.ts` implement them.
 */
import type { Encoded } from "./codec.ts";
import type { Decision } from "./decide.ts";
import type { Failure } from "./errors.ts";
import type { EntryKind, EntryOutcome } from "./journal.ts";
import type { Rest } from "./plan/replay.ts";
import type { ClaimedRun, Run, RunDetail, RunRef, RunStatus } from "./run.ts";

/** A run to be inserted. */
export interface NewRun {
  readonly id: string;
  readonly workflow: string;
  readonly version: number;
  readonly input: Encoded;
  readonly tags: readonly string[];
  readonly idempotencyKey: string | null;
  /** When it is first due; at once when both are null. */
  readonly startAt: number | null;
  readonly delayMs: number | null;
  readonly deadlineAt: number | null;
  readonly deadlineInMs: number | null;
}

/** A run that exists now, whether this call made it or its idempotency key had one already. */
export interface StartedRun {
  readonly run: Run;
  readonly created: boolean;
  readonly wakeInMs: number;
}

/** A run that should get a wake-up. */
export interface DueRun extends RunRef {
  /** 0 when it is due now. */
  readonly wakeInMs: number;
}

export interface ClaimedBatch {
  readonly claimed: readonly ClaimedRun[];
  /** Due runs whose last turn was lost: each is to be claimed on its own, so that it can take no neighbour with it. */
  readonly suspects: readonly RunRef[];
}

/** A turn whose decision is durable. */
export interface CommittedTurn extends RunRef {
  readonly status: RunStatus;
  /** Null when nothing is to be woken. */
  readonly wakeInMs: number | null;
}

export type CancelResult = "cancelled" | "already_cancelled" | "not_found" | Exclude<RunStatus, "cancelled">;
export type ReviveResult = "revived" | "not_found" | RunStatus;
export type DiscardResult = "discarded" | "not_found" | RunStatus;

/** The hot verbs take lists: one run is a list of one. Every verb is one round trip and all or nothing. */
export interface Store {
  /** In the order of `runs`. Throws `IdempotencyConflict` when a key belongs to a run with another input. */
  startRuns(tenant: string, runs: readonly NewRun[]): Promise<StartedRun[]>;
  /** Takes the lease on those of the runs that are due, and reads what their turns need. */
  claimRuns(refs: readonly RunRef[], leaseMs: number): Promise<ClaimedBatch>;
  /** The same for one run whose last turn was lost. */
  claimSuspect(ref: RunRef, leaseMs: number): Promise<ClaimedBatch>;
  /** Writes those decisions whose turn is still the run's. The others are missing from the answer (I2). */
  commitTurns(decisions: readonly Decision[]): Promise<CommittedTurn[]>;
  /** False when the turn is no longer the run's. */
  renewLease(ref: RunRef, turn: number, leaseMs: number): Promise<boolean>;
  cancelRun(ref: RunRef): Promise<CancelResult>;
  reviveRun(ref: RunRef): Promise<ReviveResult>;
  discardRun(ref: RunRef): Promise<DiscardResult>;
  /** Takes back expired leases, at most `limit`; gives the runs that are to be woken. */
  reclaimLeases(limit: number, lostTurnLimit: number): Promise<Sweep>;
  /** Runs that are due or soon will be and have no wake-up under way, at most `limit`. */
  collectDueRuns(limit: number, graceMs: number, horizonMs: number): Promise<Sweep>;
  recordTick(): Promise<void>;
}

export interface Sweep {
  readonly due: readonly DueRun[];
  /** How many runs it looked after; as many as `limit` means that there may be more. */
  readonly swept: number;
}

/** A journal entry as people see it. */
export interface JournalLine {
  readonly seq: number;
  readonly kind: EntryKind;
  readonly key: string | null;
  readonly outcome: EntryOutcome;
  readonly attempt: number;
  readonly turn: number;
  readonly output: Encoded | null;
  readonly failure: Failure | null;
  readonly startedAt: number;
  readonly recordedAt: number;
  readonly retryAt: number | null;
}

export interface RunFilter {
  readonly workflow?: string | undefined;
  readonly statuses?: readonly RunStatus[] | undefined;
  readonly tag?: string | undefined;
  readonly createdAfter?: number | undefined;
  readonly createdBefore?: number | undefined;
  readonly input?: { readonly path: readonly string[]; readonly value: string } | undefined;
}

export interface Health {
  /** Milliseconds since 1970 by the database's clock. */
  readonly now: number;
  readonly lastTickAt: number | null;
}

/** Questions that change nothing. Lists are newest first; `before` is the id that the last page ended with. */
export interface Reads {
  run(ref: RunRef): Promise<RunDetail | null>;
  runs(tenant: string, filter: RunFilter, limit: number, before: string | null): Promise<Run[]>;
  deadLetters(tenant: string, filter: RunFilter, limit: number, before: string | null): Promise<Run[]>;
  /** Null when there is no such run. Oldest first. */
  journal(ref: RunRef, limit: number, after: number): Promise<JournalLine[] | null>;
  health(): Promise<Health>;
}

/** The queue that asks for turns. Losing a wake-up costs time only: the sweep sends it again. */
export interface WakeUps {
  send(due: readonly DueRun[]): Promise<void>;
  /** Asks for another share of a sweep at once. */
  sweepAgain(): Promise<void>;
}

/** This worker's own time: for spans and timers, never compared with what the database says. */
export interface Clock {
  now(): number;
  /** Resolves after `ms`, or at once when `signal` aborts. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
  readonly rest: Rest;
}
