import { Hono } from "hono";
import type { HttpEnv } from "../context.ts";
import { RETRY_AFTER } from "../errors.ts";
import { iso, isoOrNull } from "../present.ts";

/** Public: whether the database answers, and when the cron last ticked. Says nothing else about this deployment. */
export const health = new Hono<HttpEnv>().get("/", async (c) => {
  const { runtime, requestId } = c.var;
  const state = await runtime.reads.health().catch((error: unknown) => {
    runtime.report(`answering GET /healthz, request ${requestId}`, error);
    return null;
  });
  if (state === null) {
    const silent = { now: null, lastTickAt: null, tickAgeMs: null };
    return c.json({ status: "unavailable", database: "unreachable", ...silent } as const, 503, {
      "Retry-After": RETRY_AFTER,
    });
  }
  const { now, lastTickAt } = state;
  return c.json({
    status: "ok",
    database: "ok",
    now: iso(now),
    lastTickAt: isoOrNull(lastTickAt),
    tickAgeMs: lastTickAt === null ? null : now - lastTickAt,
  } as const);
});
