import type { Context } from "hono";
import type { Action, ActionVerb } from "../engine/history.ts";
import { noteAction } from "../runtime/note-action.ts";
import type { HttpEnv } from "./context.ts";
import { refOf } from "./find-run.ts";
import { iso } from "./present.ts";

/** Notes what the caller has just done to the run of the route. */
export async function noteWhatWasDone(
  c: Context<HttpEnv>,
  verb: ActionVerb,
  newRunId: string | null = null,
): Promise<void> {
  await noteAction(c.var.runtime, { ...refOf(c), verb, by: c.var.principal.role, newRunId });
}

export function presentAction({ id, at, by, verb, runId, newRunId, bulkId, note }: Action) {
  return { id: String(id), at: iso(at), by, verb, runId, newRunId, bulkId, note };
}
