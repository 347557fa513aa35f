import { Hono } from "hono";
import { tickAgeMs } from "../../engine/tick.ts";
import type { HttpEnv } from "../context.ts";
import { RETRY_AFTER } from "../errors.ts";
import { iso, isoOrNull } from "../present.ts";

/**
 * Public: whether the database answers, when the cron last ticked, and until when it is idle. Says nothing else about this
 * deployment. Whoever asks wakes a database that was suspended.
 */
export const health = new Hono<HttpEnv>().get("/", async (c) => {
  const { runtime, requestId } = c.var;
  const state = await runtime.reads.health().catch((error: unknown) => {
    runtime.report(`answering GET /healthz, request ${requestId}`, error);
    return null;
  });
  if (state === null) {
    const silent = { now: null, lastTickAt: null, idleUntil: null, tickAgeMs: null };
    return c.json({ status: "unavailable", database: "unreachable", ...silent } as const, 503, {
      "Retry-After": RETRY_AFTER,
    });
  }
  return c.json({
    status: "ok",
    database: "ok",
    now: iso(state.now),
    lastTickAt: isoOrNull(state.lastTickAt),
    idleUntil: isoOrNull(state.idleUntil),
    tickAgeMs: tickAgeMs(state),
  } as const);
});
