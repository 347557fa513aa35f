import type { StepBody, StepOptions } from "./workflow.ts";

/** An instant by the database's clock, or a span from the commit of this turn. */
export type When = { readonly at: number } | { readonly inMs: number };

/** A step whose outcome the journal does not know yet. */
export interface StepEdge {
  readonly kind: "step";
  readonly key: string;
  readonly name: string;
  readonly body: StepBody;
  readonly options: StepOptions;
  /** The number of the attempt that comes next. */
  readonly attempt: number;
  /** Attempts already counted against the retry budget. */
  readonly spent: number;
  /** When the next attempt is due; null for at once. */
  readonly due: When | null;
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

/** Something a plan found that the journal does not know yet. */
export type Edge = StepEdge | SleepEdge;

/** What to do next, from a run and its journal. */
export type Plan =
  | { readonly state: "finished"; readonly output: unknown }
  | { readonly state: "threw"; readonly thrown: unknown }
  /** The code cannot be continued with this journal (I7). */
  | { readonly state: "stuck"; readonly error: Error }
  | { readonly state: "resting"; readonly edges: readonly Edge[] };

/** True when nothing speaks against acting on the edge at `now`. */
export function isDue(edge: Edge, now: number): boolean {
  return edge.due === null || ("at" in edge.due && edge.due.at <= now);
}
