import { type Context, Hono } from "hono";
import * as z from "zod";
import { BULK_VERBS, type Bulk, type BulkSource } from "../../engine/bulk.ts";
import { BulkNotFound } from "../../engine/refusals.ts";
import { abortBulk, previewBulk, startBulk } from "../../runtime/start-bulk.ts";
import { jsonBody, noBody } from "../body.ts";
import type { HttpEnv } from "../context.ts";
import { isUlid, pageOf } from "../cursor.ts";
import { text } from "../fields.ts";
import { collectParameters, toFilter } from "../filter-query.ts";
import { iso, isoOrNull } from "../present.ts";
import { pageQuery } from "../query.ts";
import { idempotencyKeyOf } from "../start-body.ts";
import { NOTE_LIMIT } from "./history.ts";

const IDS_LIMIT = 500;
const RATE_LIMIT = 100;
const RATE_DEFAULT = 10;

/** The parameters of a list's query, as an object. */
const Asked = z.record(z.string().max(2_000), z.union([text(0, 1_000), z.array(text(0, 1_000)).max(20)]));

const BulkBody = z
  .strictObject({
    verb: z.enum(BULK_VERBS),
    ids: z.array(z.string().refine(isUlid, "must be the id of a run")).min(1).max(IDS_LIMIT).optional(),
    runs: Asked.refine(
      (asked) => Object.keys(asked).length > 0,
      "needs a filter: all runs are too many",
    ).optional(),
    deadLetters: Asked.optional(),
    compensate: z.boolean().optional(),
    rate: z.int().min(1).max(RATE_LIMIT).default(RATE_DEFAULT),
    note: text(1, NOTE_LIMIT).optional(),
    dryRun: z.boolean().default(false),
  })
  .refine(
    ({ ids, runs, deadLetters }) =>
      [ids, runs, deadLetters].filter((given) => given !== undefined).length === 1,
    "give one of ids, runs and deadLetters",
  )
  .refine(({ verb, compensate }) => compensate === undefined || verb === "cancel", {
    message: "only a cancel can compensate",
    path: ["compensate"],
  });

type Body = z.output<typeof BulkBody>;

/** One verb for many runs: noted here, and done by the sweeps, share by share. */
export const bulk = new Hono<HttpEnv>()
  .get("/", pageQuery, async (c) => {
    const { limit, before } = c.req.valid("query");
    const { runtime, principal } = c.var;
    const rows = await runtime.bulks.list(principal.tenant, limit + 1, before);
    const { shown, nextCursor } = pageOf(rows, limit, ({ id }) => id);
    return c.json({ bulks: shown.map(present), nextCursor });
  })
  .post("/", jsonBody(BulkBody), async (c) => {
    const idempotencyKey = idempotencyKeyOf(c.req.raw.headers) ?? null;
    const { runtime, principal } = c.var;
    const { dryRun, ...body } = c.req.valid("json");
    const source = sourceOf(body);
    if (dryRun) return c.json(await previewBulk(runtime, principal.tenant, { verb: body.verb, source }), 200);
    const { bulk, created } = await startBulk(runtime, principal.tenant, {
      verb: body.verb,
      source,
      asked: body.runs ?? body.deadLetters ?? null,
      compensate: body.compensate ?? false,
      rate: body.rate,
      note: body.note ?? null,
      by: principal.role,
      idempotencyKey,
    });
    c.header("Location", `/api/bulk/${bulk.id}`);
    return created ? c.json(present(bulk), 201) : c.json(present(bulk), 200);
  })
  .get("/:id", async (c) => {
    const id = idOf(c);
    const found = await c.var.runtime.bulks.find(c.var.principal.tenant, id);
    if (found === null) throw new BulkNotFound(id);
    return c.json(present(found));
  })
  .post("/:id/abort", noBody, async (c) => {
    return c.json(present(await abortBulk(c.var.runtime, c.var.principal.tenant, idOf(c))));
  });

function sourceOf({ ids, runs, deadLetters }: Pick<Body, "ids" | "runs" | "deadLetters">): BulkSource {
  if (ids !== undefined) return { kind: "ids", ids };
  const kind = runs === undefined ? "deadLetters" : "runs";
  const pairs = Object.entries(runs ?? deadLetters ?? {}).flatMap(([name, given]) =>
    (typeof given === "string" ? [given] : given).map((value) => [name, value] as const),
  );
  return { kind, filter: toFilter(collectParameters(pairs, "body"), kind, "body") };
}

function idOf(c: Context<HttpEnv>): string {
  const id = c.req.param("id") ?? "";
  if (!isUlid(id)) throw new BulkNotFound(id);
  return id;
}

function present({ asked, createdAt, updatedAt, finishedAt, ...bulk }: Bulk) {
  return {
    ...bulk,
    filter: asked,
    seen: bulk.done + bulk.skipped + bulk.failed,
    createdAt: iso(createdAt),
    updatedAt: iso(updatedAt),
    finishedAt: isoOrNull(finishedAt),
  };
}
