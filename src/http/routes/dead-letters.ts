import { Hono } from "hono";
import { discardRun } from "../../runtime/discard-run.ts";
import { reviveRun } from "../../runtime/revive-run.ts";
import { noBody } from "../body.ts";
import type { HttpEnv } from "../context.ts";
import { exportQuery, exportRuns } from "../export.ts";
import { findRun, refOf } from "../find-run.ts";
import { presentDetail } from "../present.ts";
import { listQuery } from "../query.ts";
import { runPage } from "../run-page.ts";

const DEAD_LETTERS = ["failed", "dead"] as const;

/** Runs that a person must look at, failed and dead, and what that person can do. */
export const deadLetters = new Hono<HttpEnv>()
  .get("/", listQuery, async (c) => {
    const question = c.req.valid("query");
    const { filter } = question;
    const candidates = { ...filter, statuses: filter.statuses ?? DEAD_LETTERS };
    return c.json(await runPage(c, c.var.runtime.reads.deadLetters, question, candidates));
  })
  .get("/export", exportQuery, (c) => {
    const { filter, format } = c.req.valid("query");
    return exportRuns(c, c.var.runtime.reads.deadLetters, filter, format);
  })
  .post("/:id/revive", noBody, async (c) => {
    await reviveRun(c.var.runtime, refOf(c));
    return c.json(presentDetail(await findRun(c)));
  })
  .post("/:id/discard", noBody, async (c) => {
    await discardRun(c.var.runtime, refOf(c));
    return c.json(presentDetail(await findRun(c)));
  });
