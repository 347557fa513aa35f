import type { Context, MiddlewareHandler } from "hono";
import { Hono } from "hono";
import * as z from "zod";
import { type EventFilter, type EventLine, SEND_STATUSES } from "../../engine/event.ts";
import { EventNotFound } from "../../engine/refusals.ts";
import { redeliverEvent } from "../../runtime/redeliver-event.ts";
import { noBody } from "../body.ts";
import type { HttpEnv } from "../context.ts";
import { isUlid, numberCursor, pageOf } from "../cursor.ts";
import { problemsOf, text } from "../fields.ts";
import { InvalidRequest } from "../refusals.ts";

const PAGE_DEFAULT = 25;
const PAGE_LIMIT = 100;

const Query = z.strictObject({
  status: z.enum(SEND_STATUSES).optional(),
  run: z.string().refine(isUlid, "is not the id of a run").optional(),
  limit: z
    .string()
    .regex(/^\d{1,3}$/, `must be a whole number from 1 to ${PAGE_LIMIT}`)
    .transform(Number)
    .pipe(z.int().min(1).max(PAGE_LIMIT))
    .default(PAGE_DEFAULT),
  cursor: z.string().transform(numberCursor).optional(),
});

/**
 * No event has another id: text that Postgres could not even look for is not asked about. It holds the URL-encoded key of
 * a step, where a name of 200 characters may take nine bytes for each.
 */
const EventId = text(1, 2_000);

interface Question {
  filter: EventFilter;
  limit: number;
  before: number | null;
}

type Parameters = { status?: string; run?: string; limit?: string; cursor?: string };

const eventsQuery: MiddlewareHandler<
  HttpEnv,
  string,
  { in: { query: Parameters }; out: { query: Question } }
> = async (c, next) => {
  // In a Map, where "__proto__" is a name like any other.
  const given = new Map<string, string>();
  for (const [name, value] of new URL(c.req.url).searchParams) {
    if (given.has(name)) throw new InvalidRequest("query", [`${name}: is given twice`]);
    given.set(name, value);
  }
  const parsed = Query.safeParse(Object.fromEntries(given));
  if (!parsed.success) throw new InvalidRequest("query", problemsOf(parsed.error));
  const { limit, cursor, ...filter } = parsed.data;
  const question: Question = { filter, limit, before: cursor ?? null };
  c.req.addValidatedData("query", question);
  await next();
};

/** What runs told the outside, where it went, and what could not be sent. */
export const events = new Hono<HttpEnv>()
  .get("/", eventsQuery, async (c) => {
    const { filter, limit, before } = c.req.valid("query");
    const { runtime, principal } = c.var;
    const lines = await runtime.reads.events(principal.tenant, filter, limit + 1, before);
    const { shown, nextCursor } = pageOf(lines, limit, (line) => line.seq);
    return c.json({ events: shown.map(present), nextCursor });
  })
  .post("/:id/redeliver", noBody, async (c) => {
    const { runtime, principal } = c.var;
    const id = idOf(c);
    await redeliverEvent(runtime, principal.tenant, id);
    const line = await runtime.reads.event(principal.tenant, id);
    if (line === null) throw new EventNotFound(id);
    return c.json(present(line));
  });

function idOf(c: Context<HttpEnv>): string {
  const given = c.req.param("id") ?? "";
  if (!EventId.safeParse(given).success) throw new EventNotFound(given.slice(0, 100));
  return given;
}

function present({ id, runId, workflow, type, subject, emittedAt, sends }: EventLine) {
  return {
    id,
    runId,
    workflow,
    type,
    subject,
    emittedAt: new Date(emittedAt).toISOString(),
    sends: sends.map(({ sink, status, attempts, nextAt, lastError, sentAt }) => ({
      sink,
      status,
      attempts,
      nextAt: iso(nextAt),
      lastError,
      sentAt: iso(sentAt),
    })),
  };
}

function iso(at: number | null): string | null {
  return at === null ? null : new Date(at).toISOString();
}
