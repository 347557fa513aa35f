import type { Context } from "hono";
import type { Run } from "../engine/run.ts";
import type { HttpEnv } from "./context.ts";
import { presentRow } from "./present.ts";

/** The runs of a page, each with where it stands. */
export async function presentRows(c: Context<HttpEnv>, runs: readonly Run[]) {
  const { runtime, principal } = c.var;
  const ids = runs.map(({ runId }) => runId);
  const standings = await runtime.overview.standings(principal.tenant, ids);
  const standingOf = new Map(standings.map((standing) => [standing.runId, standing]));
  return runs.map((run) => presentRow(run, standingOf.get(run.runId)));
}
