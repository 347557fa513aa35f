/** Edges: what a plan found that the journal does not know yet. */
import type { StandardSchemaV1 } from "@standard-schema/spec";
import type { Encoded } from "./codec.ts";
import type { Duration } from "./duration.ts";
import type { Effect } from "./effect.ts";
import type { EntryKind } from "./journal.ts";
import type { ChildRequest, Platform, Tools } from "./platform.ts";
import type { Retry } from "./retry.ts";
import type { Isolation, StepContext, TransactionBody } from "./workflow.ts";

/** An instant by the database's clock, or a span from the commit of this turn. */
export type When = { readonly at: number } | { readonly inMs: number };

/** The work of a step: the user's body, the user's transaction, or something that the platform does. */
export type Work =
  | { readonly by: "body"; readonly body: (context: StepContext) => unknown }
  | { readonly by: "transaction"; readonly body: TransactionBody; readonly isolation?: Isolation | undefined }
  | { readonly by: "platform"; readonly act: (platform: Platform, context: StepContext) => unknown };

/** How a step is to be performed. */
export interface Performance {
  readonly retry?: Retry | undefined;
  readonly timeout?: Duration | undefined;
  /** How long the body may go between two heartbeats. */
  readonly heartbeat?: Duration | undefined;
  readonly atMostOnce?: boolean | undefined;
}

/** A step whose outcome the journal does not know yet. */
export interface StepEdge {
  readonly kind: "step";
  /** What its entry will be called. */
  readonly entry: EntryKind;
  readonly key: string;
  readonly work: Work;
  readonly options: Performance;
  /** Replay up to this entry reaches it. */
  readonly askedAt: number;
  /** The number of the attempt that comes next. */
  readonly attempt: number;
  /** Attempts already counted against the retry budget. */
  readonly spent: number;
  /** When the next attempt is due; null for at once. */
  readonly due: When | null;
  /** True when a person must say what came of the last attempt, which must not be made twice. */
  readonly unknown: boolean;
}

/** A sleep that is not over. */
export interface SleepEdge {
  readonly kind: "sleep";
  readonly key: string;
  /** When it ends. */
  readonly due: When;
  /** Null when its timer is still to be written. */
  readonly begunAt: number | null;
}

/** A wait for a fact from outside. */
export interface WaitEdge {
  readonly kind: "wait";
  readonly on: "signal" | "message" | "child" | "mutation";
  readonly key: string;
  /** The signal's or the channel's name; null for a child, which has an id only once it is started. */
  readonly name: string | null;
  /** When it is given up; null for never. */
  readonly due: When | null;
  /** Null when the wait is still to be written. */
  readonly begunAt: number | null;
  readonly schema: StandardSchemaV1 | undefined;
  /** Set for a child that is still to be started. */
  readonly child: ChildRequest | undefined;
}

/** What takes no invocation of its own: a value, or an effect that the commit carries out. */
export interface InstantEdge {
  readonly kind: "instant";
  readonly entry: EntryKind;
  readonly key: string;
  /** Throws what the step fails with. */
  readonly settle: (tools: Tools) => Settlement | Promise<Settlement>;
}

export interface Settlement {
  readonly output: Encoded | null;
  readonly effects: readonly Effect[];
}

/** Something a plan found that the journal does not know yet. */
export type Edge = StepEdge | SleepEdge | WaitEdge | InstantEdge;

/** What to do next, from a run and its journal. */
export type Plan =
  | { readonly state: "finished"; readonly output: unknown }
  /** The workflow goes on as another run, with a fresh journal. */
  | { readonly state: "continued"; readonly input: unknown }
  | { readonly state: "threw"; readonly thrown: unknown }
  /** The code cannot be continued with this journal (I7). */
  | { readonly state: "stuck"; readonly error: Error }
  | { readonly state: "resting"; readonly edges: readonly Edge[] };

/** True when nothing speaks against acting on the edge at `now`. */
export function isDue(edge: { readonly due: When | null }, now: number): boolean {
  return edge.due === null || ("at" in edge.due && edge.due.at <= now);
}
