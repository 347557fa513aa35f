import { Hono } from "hono";
import type { HttpEnv } from "../context.ts";
import { iso, isoOrNull } from "../present.ts";

/** The cron ticks every minute: after so long sleeps and retries are waiting for it. */
const LATE_AFTER_MS = 180_000;
const STUCK_SHOWN = 20;

/** How the machinery is doing: the cron, what is due, the database, and runs that nothing would move again. */
export const system = new Hono<HttpEnv>().get("/", async (c) => {
  const { runtime, principal } = c.var;
  const { overview, deployment } = runtime;
  const [state, stuck] = await Promise.all([
    overview.system(principal.tenant),
    overview.stuckRuns(principal.tenant, STUCK_SHOWN),
  ]);
  const { now, lastTickAt, oldestDueAt } = state;
  const ageMs = lastTickAt === null ? null : Math.max(0, now - lastTickAt);
  return c.json({
    now: iso(now),
    deployment,
    migrations: state.lastMigration,
    tick: { at: isoOrNull(lastTickAt), ageMs, late: ageMs === null || ageMs > LATE_AFTER_MS },
    queue: {
      due: state.due,
      oldestDueAt: isoOrNull(oldestDueAt),
      lagMs: oldestDueAt === null ? 0 : Math.max(0, now - oldestDueAt),
    },
    leases: { running: state.leased, expired: state.expired },
    events: { pending: state.eventsPending, dead: state.eventsDead },
    database: { bytes: state.databaseBytes, tables: state.tables },
    stuck: {
      runs: (stuck ?? []).map(({ runId, status, reason }) => ({ id: runId, status, reason })),
      checked: stuck !== null,
    },
    bulk: { running: state.bulkActions },
  });
});
