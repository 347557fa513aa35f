import type { Encoded } from "./codec.ts";
import type { Failure } from "./errors.ts";
import type { Entry, Timer } from "./journal.ts";

/**
 * `ready`: due, nobody holds it. `running`: leased. `waiting`: parked until `wakeAt` or a delivery.
 * `completed`, `cancelled`, `failed`: final, the last by the workflow's own verdict. `dead`: the platform
 * never got a verdict. `failed` and `dead` leave by a revive, which raises the turn (I3).
 */
export const RUN_STATUSES = [
  "ready",
  "running",
  "waiting",
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
  readonly journal: readonly Entry[];
  readonly timers: readonly Timer[];
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
  readonly failure: Failure | null;
}

/** A run with its payloads, which lists never load. */
export interface RunDetail extends Run {
  readonly input: Encoded;
  readonly output: Encoded | null;
}

/** True when nothing but a revive can move the run. */
export function isFinal(status: RunStatus): boolean {
  return status === "completed" || status === "cancelled" || status === "failed" || status === "dead";
}
