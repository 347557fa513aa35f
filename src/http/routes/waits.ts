import { Hono } from "hono";
import * as z from "zod";
import {
  AWAITED,
  type Awaited,
  type WaitFilter,
  type WaitingRun,
  type WaitPosition,
} from "../../engine/overview.ts";
import type { HttpEnv } from "../context.ts";
import { decodeCursor, isUlid, pageOf } from "../cursor.ts";
import { text } from "../fields.ts";
import { checkQuery, parametersOf } from "../filter-query.ts";
import { iso, isoOrNull } from "../present.ts";
import { limit, type Query } from "../query.ts";
import { InvalidCursor } from "../refusals.ts";

const WaitsQuery = z.strictObject({
  kind: z.enum(AWAITED).optional(),
  name: text(1, 250).optional(),
  limit,
  cursor: z.string().transform(toPosition).optional(),
});

const waitsQuery: Query<
  { kind?: Awaited; name?: string; limit?: string; cursor?: string },
  { filter: WaitFilter; limit: number; after: WaitPosition | null }
> = async (c, next) => {
  const { limit, cursor, ...filter } = checkQuery(WaitsQuery, Object.fromEntries(parametersOf(c.req.raw)));
  c.req.addValidatedData("query", { filter, limit, after: cursor ?? null });
  await next();
};

/** Who waits for what. */
export const waits = new Hono<HttpEnv>()
  .get("/", waitsQuery, async (c) => {
    const { filter, limit, after } = c.req.valid("query");
    const { runtime, principal } = c.var;
    const rows = await runtime.overview.waits(principal.tenant, filter, limit + 1, after);
    const { shown, nextCursor } = pageOf(rows, limit, toCursor);
    return c.json({
      waits: shown.map((wait) => ({ ...wait, begunAt: iso(wait.begunAt), dueAt: isoOrNull(wait.dueAt) })),
      nextCursor,
    });
  })
  .get("/names", async (c) => {
    const { runtime, principal } = c.var;
    const { names, exact } = await runtime.overview.awaitedNames(principal.tenant);
    return c.json({ names: names.map((name) => ({ ...name, oldestAt: iso(name.oldestAt) })), exact });
  });

/** A cursor is ASCII, a key need not be. */
function toCursor({ runId, key }: WaitingRun): string {
  return `${runId} ${encodeURIComponent(key)}`;
}

function toPosition(cursor: string): WaitPosition {
  const [runId = "", encoded] = decodeCursor(cursor).split(" ");
  if (!isUlid(runId) || encoded === undefined) throw new InvalidCursor();
  try {
    const key = decodeURIComponent(encoded);
    if (!key.includes("\u0000")) return { runId, key };
  } catch {
    // It is not one of ours: refused below.
  }
  throw new InvalidCursor();
}
