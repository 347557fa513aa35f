import type { Context } from "hono";
import type { Reads, RunFilter } from "../engine/reads.ts";
import type { HttpEnv } from "./context.ts";
import { encodeCursor, pageOf } from "./cursor.ts";
import { presentRows } from "./rows.ts";

export interface RunQuestion {
  readonly filter: RunFilter;
  readonly limit: number;
  readonly before: string | null;
}

/**
 * A page of runs. One that searches by input looks into a bounded number of runs: it may find less than a page, or
 * nothing, and still have a next one.
 */
export async function runPage(
  c: Context<HttpEnv>,
  list: Reads["runs"],
  { filter, limit, before }: RunQuestion,
  candidates: RunFilter = filter,
) {
  const { runtime, principal } = c.var;
  const end =
    filter.input === undefined ? null : await runtime.reads.searchEnd(principal.tenant, candidates, before);
  const asked = end === null ? filter : { ...filter, oldest: end };
  const rows = await list(principal.tenant, asked, limit + 1, before);
  const { shown, nextCursor } = pageOf(rows, limit, (run) => run.runId);
  return {
    runs: await presentRows(c, shown),
    nextCursor: nextCursor ?? (end === null ? null : encodeCursor(end)),
  };
}
