import type { Encoded } from "./codec.ts";
import type { Delivery } from "./delivery.ts";
import type { Failure } from "./failure.ts";
import type { Entry, Timer, Wait } from "./journal.ts";

/**
 * `ready`: due, nobody holds it. `running`: leased. `waiting`: parked until `wakeAt` or a delivery. `paused`:
 * held by a person.
 * `completed`, `cancelled`, `failed`: final, the last by the workflow's own verdict. `dead`: the platform
 * never got a verdict. `failed` and `dead` leave by a revive, which raises the turn (I3).
 */
export const RUN_STATUSES = [
  "ready",
  "running",
  "waiting",
  "paused",
  "completed",
  "cancelled",
  "failed",
  "dead",
] as const;
export type RunStatus = (typeof RUN_STATUSES)[number];

/** Names one run. */
export interface RunRef {
  readonly tenant: string;
  readonly runId: string;
}

/** Going forward, or undoing what it did because its verdict is known. */
export const PHASES = ["forward", "compensating"] as const;
export type Phase = (typeof PHASES)[number];

/** What a compensating run will be once everything is undone. */
export type Verdict =
  | { readonly status: "failed"; readonly failure: Failure }
  | { readonly status: "cancelled"; readonly failure: null };

/** The run that started this one, and the key of the step there that waits for it, if one does. */
export interface Parent {
  readonly runId: string;
  readonly key: string | null;
}

/** A run that this turn holds, with everything needed to decide what it does next. */
export interface ClaimedRun extends RunRef {
  readonly workflow: string;
  readonly version: number;
  /** The fence (I2): everything written for this turn carries it. */
  readonly turn: number;
  readonly input: Encoded;
  readonly tags: readonly string[];
  /** Milliseconds since 1970 by the database's clock, like every instant here. */
  readonly now: number;
  readonly startedAt: number;
  readonly deadlineAt: number | null;
  /** How many facts had been delivered when it was claimed (I4). */
  readonly deliveries: number;
  readonly parent: Parent | null;
  /** Null while the run goes forward. */
  readonly verdict: Verdict | null;
  readonly failedCompensations: number;
  readonly journal: readonly Entry[];
  /** What the values and failures in the whole journal take as JSON. */
  readonly journalBytes: number;
  /**
   * True when the journal did not come with the claim: because whoever claimed knows it, and then its last entry is here,
   * without its values; or because it is too large, and then nothing of it is.
   */
  readonly partial: boolean;
  readonly timers: readonly Timer[];
  readonly waits: readonly Wait[];
  /** Steps that run apart from the turn. */
  readonly branches: readonly LiveBranch[];
  /** What has arrived and is not in the journal yet, the oldest first. */
  readonly inbox: readonly Delivery[];
}

/** A branch as its run's turn sees it. */
export interface LiveBranch {
  readonly key: string;
  /** True while an invocation performs it. */
  readonly leased: boolean;
}

/** Names one branch. */
export interface BranchRef extends RunRef {
  readonly key: string;
}

/** A branch that this invocation holds, with everything needed to perform its step once. */
export interface ClaimedBranch extends BranchRef {
  /** The fence of the branch (I2), not of its run. */
  readonly branchTurn: number;
  readonly attempt: number;
  readonly spent: number;
  /** The last entry of the run's journal when the step was asked for. */
  readonly askedAt: number;
  /** The run as it was when the step was asked for: the journal ends there. */
  readonly run: ClaimedRun;
}

/** A run as people see it. */
export interface Run extends RunRef {
  readonly workflow: string;
  readonly version: number;
  readonly status: RunStatus;
  readonly turn: number;
  readonly lostTurns: number;
  readonly tags: readonly string[];
  readonly idempotencyKey: string | null;
  readonly currentStep: string | null;
  readonly stepsDone: number;
  readonly createdAt: number;
  readonly startedAt: number | null;
  readonly wakeAt: number | null;
  readonly leaseExpiresAt: number | null;
  readonly deadlineAt: number | null;
  readonly finishedAt: number | null;
  readonly discardedAt: number | null;
  /** Why it failed or died; of a run that compensates for a failure, that failure. */
  readonly failure: Failure | null;
  readonly phase: Phase;
  readonly failedCompensations: number;
  readonly pausedAt: number | null;
  readonly parent: Parent | null;
  readonly continuedFrom: string | null;
  readonly continuedTo: string | null;
  readonly forkedFrom: string | null;
  /** The version of the worker that started it; null where the platform named none. */
  readonly deployment: string | null;
}

/** A run with its payloads, which lists never load. */
export interface RunDetail extends Run {
  readonly input: Encoded;
  readonly output: Encoded | null;
}

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
  readonly parent: Parent | null;
  /** The run that goes on as this one. */
  readonly continuedFrom: string | null;
  /** The version of the worker that starts it. */
  readonly deployment: string | null;
}

/**
 * How long a due run is left alone by deployments that do not have its code. While two of them serve side by side the other one
 * takes it, and a definition that was removed by mistake may come back. After that it is dead, for somebody to look at.
 */
export const FOREIGN_LIMIT_MS = 24 * 3_600_000;

/** True when nothing but a revive can move the run. */
export function isFinal(status: RunStatus): boolean {
  return status === "completed" || status === "cancelled" || status === "failed" || status === "dead";
}
