import type { Context } from "hono";
import { RunNotFound } from "../engine/refusals.ts";
import type { RunDetail, RunRef } from "../engine/run.ts";
import type { HttpEnv } from "./context.ts";
import { isUlid } from "./cursor.ts";

/** The run that the route's `:id` names; throws `RunNotFound` without a question when no run can have that id. */
export function refOf(c: Context<HttpEnv>): RunRef {
  const runId = c.req.param("id") ?? "";
  if (!isUlid(runId)) throw new RunNotFound(runId);
  return { tenant: c.var.principal.tenant, runId };
}

/** The run of the route as it is now. Throws `RunNotFound`. */
export async function findRun(c: Context<HttpEnv>): Promise<RunDetail> {
  const ref = refOf(c);
  const run = await c.var.runtime.reads.run(ref);
  if (run === null) throw new RunNotFound(ref.runId);
  return run;
}
