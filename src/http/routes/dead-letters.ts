import { Hono } from "hono";
import type { DeadLetterGroup } from "../../engine/overview.ts";
import type { Registry } from "../../engine/workflow.ts";
import { discardRun } from "../../runtime/discard-run.ts";
import { reviveRun } from "../../runtime/revive-run.ts";
import { noBody } from "../body.ts";
import type { HttpEnv } from "../context.ts";
import { exportQuery, exportRuns } from "../export.ts";
import { findRun, refOf } from "../find-run.ts";
import { noteWhatWasDone } from "../note.ts";
import { iso, presentDetail } from "../present.ts";
import { deadLetterFilterQuery, deadLetterQuery } from "../query.ts";
import { runPage } from "../run-page.ts";

const DEAD_LETTERS = ["failed", "dead"] as const;

/** Runs that a person must look at, failed and dead, and what that person can do. */
export const deadLetters = new Hono<HttpEnv>()
  .get("/", deadLetterQuery, async (c) => {
    const question = c.req.valid("query");
    const { filter } = question;
    const candidates = { ...filter, statuses: filter.statuses ?? DEAD_LETTERS };
    return c.json(await runPage(c, c.var.runtime.reads.deadLetters, question, candidates));
  })
  .get("/groups", deadLetterFilterQuery, async (c) => {
    const { runtime, principal } = c.var;
    const filter = c.req.valid("query");
    const { groups, exact } = await runtime.overview.deadLetterGroups(principal.tenant, filter);
    return c.json({ groups: groups.map((group) => presentGroup(group, runtime.registry)), exact });
  })
  .get("/export", exportQuery("deadLetters"), (c) => {
    const { filter, format } = c.req.valid("query");
    return exportRuns(c, c.var.runtime.reads.deadLetters, filter, format);
  })
  .post("/:id/revive", noBody, async (c) => {
    await reviveRun(c.var.runtime, refOf(c));
    await noteWhatWasDone(c, "revive");
    return c.json(presentDetail(await findRun(c)));
  })
  .post("/:id/discard", noBody, async (c) => {
    await discardRun(c.var.runtime, refOf(c));
    await noteWhatWasDone(c, "discard");
    return c.json(presentDetail(await findRun(c)));
  });

/** A group, and whether this deployment has a newer version than any of its runs. */
function presentGroup(group: DeadLetterGroup, registry: Registry) {
  const registered = registry.list().filter(({ name }) => name === group.workflow);
  const newest = Math.max(0, ...registered.map(({ version }) => version));
  return {
    ...group,
    firstAt: iso(group.firstAt),
    lastAt: iso(group.lastAt),
    registered: registered.length > 0,
    newerVersion: newest > Math.max(...group.versions) ? newest : null,
  };
}
