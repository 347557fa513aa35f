import { type Context, Hono } from "hono";
import * as z from "zod";
import { jsonBody } from "../body.ts";
import type { HttpEnv } from "../context.ts";
import { pageOf } from "../cursor.ts";
import { text } from "../fields.ts";
import { findRun, refOf } from "../find-run.ts";
import { presentAction } from "../note.ts";
import { numberedQuery } from "../query.ts";

export const NOTE_LIMIT = 2_000;

const NoteBody = z.strictObject({ note: text(1, NOTE_LIMIT) });

/** What people did, to all runs. */
export const history = new Hono<HttpEnv>().get("/", numberedQuery, async (c) => {
  const { limit, before } = c.req.valid("query");
  return c.json(await pageOfActions(c, null, limit, before));
});

/** What people did to one run, below `/api/runs`. */
export const historyOfRun = new Hono<HttpEnv>()
  .get("/:id/history", numberedQuery, async (c) => {
    const { limit, before } = c.req.valid("query");
    const { runId } = refOf(c);
    const [page] = await Promise.all([pageOfActions(c, runId, limit, before), findRun(c)]);
    return c.json(page);
  })
  .post("/:id/notes", jsonBody(NoteBody), async (c) => {
    const ref = refOf(c);
    await findRun(c);
    const { runtime, principal } = c.var;
    const { note } = c.req.valid("json");
    const action = await runtime.history.add({ ...ref, verb: "note", by: principal.role, note });
    return c.json(presentAction(action), 201);
  });

async function pageOfActions(
  c: Context<HttpEnv>,
  runId: string | null,
  limit: number,
  before: number | null,
) {
  const { runtime, principal } = c.var;
  const rows = await runtime.history.list(principal.tenant, runId, limit + 1, before);
  const { shown, nextCursor } = pageOf(rows, limit, ({ id }) => id);
  return { actions: shown.map(presentAction), nextCursor };
}
