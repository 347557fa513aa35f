import { Hono } from "hono";
import type { HttpEnv } from "../context.ts";
import { iso } from "../present.ts";
import { metricsQuery } from "../range-query.ts";

/** What began and ended lately, how long steps took, and what is waiting now. */
export const metrics = new Hono<HttpEnv>().get("/", metricsQuery, async (c) => {
  const { runtime, principal } = c.var;
  const { rangeMs, bucketMs, workflow } = c.req.valid("query");
  const { overview } = runtime;
  const [found, counts, state] = await Promise.all([
    overview.metrics(principal.tenant, rangeMs, bucketMs, workflow),
    overview.countRuns(principal.tenant, workflow === null ? {} : { workflow }),
    overview.system(principal.tenant),
  ]);
  const { ready, running, sleeping, waiting } = counts;
  const instants = bucketsOf(found.from, found.to, bucketMs);
  return c.json({
    from: iso(found.from),
    to: iso(found.to),
    bucketMs,
    exact: found.exact,
    buckets: fill(instants, found.buckets, (at) => ({
      at,
      started: 0,
      completed: 0,
      failed: 0,
      cancelled: 0,
    })),
    latency: fill(instants, found.latency, (at) => ({ at, p50Ms: null, p95Ms: null, p99Ms: null })),
    steps: found.steps.map((step) => ({ ...step, retryRate: step.retries / step.attempts })),
    backlog: {
      ...{ ready, running, sleeping, waiting },
      oldestDueMs: state.oldestDueAt === null ? 0 : Math.max(0, state.now - state.oldestDueAt),
    },
  });
});

/** When each bucket begins. */
function bucketsOf(from: number, to: number, bucketMs: number): number[] {
  const first = Math.floor(from / bucketMs) * bucketMs;
  return Array.from({ length: Math.floor((to - first) / bucketMs) + 1 }, (_, i) => first + i * bucketMs);
}

/** One for each instant, in their order: a chart must not join what lies apart. */
function fill<Found extends { readonly at: number }, Empty extends { readonly at: number }>(
  instants: readonly number[],
  found: readonly Found[],
  empty: (at: number) => Empty,
) {
  const known = new Map(found.map((one) => [one.at, one]));
  return instants.map((at) => ({ ...(known.get(at) ?? empty(at)), at: iso(at) }));
}
