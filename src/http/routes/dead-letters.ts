import { Hono } from "hono";
import { discardRun } from "../../runtime/discard-run.ts";
import { reviveRun } from "../../runtime/revive-run.ts";
import { noBody } from "../body.ts";
import type { HttpEnv } from "../context.ts";
import { pageOf } from "../cursor.ts";
import { findRun, refOf } from "../find-run.ts";
import { presentDetail, presentRun } from "../present.ts";
import { listQuery } from "../query.ts";

/** Runs that a person must look at, failed and dead, and what that person can do. */
export const deadLetters = new Hono<HttpEnv>()
  .get("/", listQuery, async (c) => {
    const { filter, limit, before } = c.req.valid("query");
    const { runtime, principal } = c.var;
    const rows = await runtime.reads.deadLetters(principal.tenant, filter, limit + 1, before);
    const { shown, nextCursor } = pageOf(rows, limit, (run) => run.runId);
    return c.json({ runs: shown.map(presentRun), nextCursor });
  })
  .post("/:id/revive", noBody, async (c) => {
    await reviveRun(c.var.runtime, refOf(c));
    return c.json(presentDetail(await findRun(c)));
  })
  .post("/:id/discard", noBody, async (c) => {
    await discardRun(c.var.runtime, refOf(c));
    return c.json(presentDetail(await findRun(c)));
  });
