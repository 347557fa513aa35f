import { Hono } from "hono";
import { tickAgeMs } from "../../engine/tick.ts";
import { type PhaseTimes, quantile } from "../../engine/timings.ts";
import type { HttpEnv } from "../context.ts";
import { iso, isoOrNull } from "../present.ts";

/** The cron ticks every minute: after so long sleeps and retries are waiting for it. */
const LATE_AFTER_MS = 180_000;
const STUCK_SHOWN = 20;
const TURNS_HOURS = 24;

/**
 * How the machinery is doing: the cron and its sweeps, what is due, the database, runs that nothing would move again, and
 * where turns spend their time.
 */
export const system = new Hono<HttpEnv>().get("/", async (c) => {
  const { runtime, principal } = c.var;
  const { overview, timings, deployment } = runtime;
  const [state, stuck, phases, sweeps] = await Promise.all([
    overview.system(principal.tenant),
    overview.stuckRuns(principal.tenant, STUCK_SHOWN),
    timings.read(TURNS_HOURS),
    timings.sweeps(),
  ]);
  const { now, lastTickAt, idleUntil, oldestDueAt } = state;
  const ageMs = tickAgeMs(state);
  return c.json({
    now: iso(now),
    deployment,
    migrations: state.lastMigration,
    tick: {
      at: isoOrNull(lastTickAt),
      idleUntil: isoOrNull(idleUntil),
      ageMs,
      late: ageMs === null || ageMs > LATE_AFTER_MS,
    },
    sweeps: sweeps.map(({ name, at, ms, outcome }) => ({ name, at: iso(at), ms, outcome })),
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
    turns: { hours: TURNS_HOURS, phases: phases.map(presentPhase) },
  });
});

function presentPhase(times: PhaseTimes) {
  const { phase, turns, totalMs } = times;
  return {
    phase,
    turns,
    totalMs,
    meanMs: turns === 0 ? 0 : totalMs / turns,
    p50Ms: quantile(times, 0.5),
    p95Ms: quantile(times, 0.95),
    p99Ms: quantile(times, 0.99),
  };
}
