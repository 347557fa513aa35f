import { Hono } from "hono";
import { RunNotFound } from "../../engine/errors.ts";
import { isFinal } from "../../engine/run.ts";
import { awaitResult } from "../../runtime/await-result.ts";
import { cancelRun } from "../../runtime/cancel-run.ts";
import { noBody } from "../body.ts";
import type { HttpEnv } from "../context.ts";
import { pageOf } from "../cursor.ts";
import { findRun, refOf } from "../find-run.ts";
import { presentDetail, presentLine, presentResult, presentRun } from "../present.ts";
import { journalQuery, listQuery, resultQuery } from "../query.ts";

/** Reading runs, and cancelling one. */
export const runs = new Hono<HttpEnv>()
  .get("/", listQuery, async (c) => {
    const { filter, limit, before } = c.req.valid("query");
    const { runtime, principal } = c.var;
    const rows = await runtime.reads.runs(principal.tenant, filter, limit + 1, before);
    const { shown, nextCursor } = pageOf(rows, limit, (run) => run.runId);
    return c.json({ runs: shown.map(presentRun), nextCursor });
  })
  .get("/:id", async (c) => c.json(presentDetail(await findRun(c))))
  .get("/:id/journal", journalQuery, async (c) => {
    const { limit, after } = c.req.valid("query");
    const ref = refOf(c);
    const lines = await c.var.runtime.reads.journal(ref, limit + 1, after);
    if (lines === null) throw new RunNotFound(ref.runId);
    const { shown, nextCursor } = pageOf(lines, limit, (line) => line.seq);
    return c.json({ entries: shown.map(presentLine), nextCursor });
  })
  .get("/:id/result", resultQuery, async (c) => {
    const run = await awaitResult(c.var.runtime, refOf(c), c.req.valid("query").wait);
    if (isFinal(run.status)) return c.json(presentResult(run), 200);
    return c.json(presentResult(run), 202, { "Retry-After": "1" });
  })
  .post("/:id/cancel", noBody, async (c) => {
    await cancelRun(c.var.runtime, refOf(c));
    return c.json(presentDetail(await findRun(c)));
  });
