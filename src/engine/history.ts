/** What people did to runs, and what they noted. */
import type { RunRef } from "./run.ts";

export const ACTION_VERBS = [
  "cancel",
  "pause",
  "resume",
  "revive",
  "discard",
  "rerun",
  "fork",
  "resolve",
  "note",
] as const;
export type ActionVerb = (typeof ACTION_VERBS)[number];

export interface NewAction extends RunRef {
  readonly verb: ActionVerb;
  /** The role of whoever did it. */
  readonly by: string;
  /** The run that it made, of a rerun or a fork. */
  readonly newRunId?: string | null;
  readonly note?: string | null;
}

export interface Action extends NewAction {
  readonly id: number;
  readonly at: number;
  readonly newRunId: string | null;
  /** The bulk action that it was a part of. */
  readonly bulkId: string | null;
  readonly note: string | null;
}

export interface History {
  add(action: NewAction): Promise<Action>;
  /** Of one run, or of all. Newest first; `before` is the id that the last page ended with. */
  list(tenant: string, runId: string | null, limit: number, before: number | null): Promise<Action[]>;
}
