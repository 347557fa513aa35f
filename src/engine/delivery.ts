/**
 * Deliveries: facts that have arrived for a run and are not in its journal yet.
 *
 * I4: whoever delivers raises the run's count of deliveries, so that a turn which parks the run meanwhile sees it.
 * I5: a delivery is consumed once, in the commit that journals it; one that nobody waits for yet is kept.
 */
import type { Encoded } from "./codec.ts";
import type { Failure } from "./failure.ts";

export type DeliveryKind = "signal" | "message" | "child" | "branch" | "person" | "mutation";

/**
 * `dead`: the platform gave up on it. `unknown`: an at-most-once attempt was lost, and nobody knows how far it
 * came. `again`: a person's word that such an attempt may be made again.
 */
export type DeliveryOutcome = "completed" | "failed" | "cancelled" | "dead" | "unknown" | "again";

export interface Delivery {
  readonly id: number;
  readonly kind: DeliveryKind;
  /** The signal's name; for the other kinds the key of the step that waits. */
  readonly name: string;
  readonly outcome: DeliveryOutcome;
  /** What the sender calls it; of a child its id. */
  readonly sender: string | null;
  readonly payload: Encoded | null;
  readonly failure: Failure | null;
  /** Of a branch: the number of the attempt that gave the outcome, and those that failed before it. */
  readonly attempt: number;
  readonly attempts: readonly FailedAttempt[];
  readonly tookMs: number;
  readonly arrivedAt: number;
  /** True when payload, failure and attempts were too much to come with the claim. */
  readonly withheld: boolean;
}

/** An attempt of a branch that was followed by another. */
export interface FailedAttempt {
  readonly attempt: number;
  readonly failure: Failure;
  readonly tookMs: number;
  readonly atMs: number;
}
