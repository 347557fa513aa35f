import type { Clock, Reads, Store, WakeUps } from "../engine/ports.ts";
import type { Registry } from "../engine/workflow.ts";

/** Everything a use case works with. Built once per invocation by `wiring.ts`. */
export interface Runtime {
  readonly store: Store;
  readonly reads: Reads;
  readonly wakeUps: WakeUps;
  readonly clock: Clock;
  readonly registry: Registry;
  readonly settings: Settings;
  /** A new run's id: sorts by time. */
  newRunId(): string;
  /** Tells the operator about something that went wrong and was survived. */
  report(what: string, error: unknown): void;
}

export interface Settings {
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
}
