import { Hono } from "hono";
import type { Count, RunCounts, SystemState } from "../../engine/overview.ts";
import { tickAgeMs } from "../../engine/tick.ts";
import type { HttpEnv } from "../context.ts";

const TEXT = "text/plain; version=0.0.4; charset=utf-8";

/** Gauges for Prometheus, in its text format. Counts stop at 10,000. */
export const prometheus = new Hono<HttpEnv>().get("/", async (c) => {
  const { runtime, principal } = c.var;
  const [counts, state] = await Promise.all([
    runtime.overview.countRuns(principal.tenant, {}),
    runtime.overview.system(principal.tenant),
  ]);
  return c.text(toText(counts, state), 200, { "Content-Type": TEXT });
});

function toText(counts: RunCounts, state: SystemState): string {
  const { deadLetters, ...byStatus } = counts;
  const lag = state.oldestDueAt === null ? 0 : Math.max(0, state.now - state.oldestDueAt);
  const tickAge = tickAgeMs(state) ?? Number.NaN;
  return [
    labelled("pawl_runs", "Runs by status, counted up to 10000.", "status", byStatus),
    gauge("pawl_dead_letters", "Failed and dead runs that nobody discarded.", deadLetters.count),
    gauge("pawl_due_runs", "Runs and branches that are due and unclaimed.", state.due.count),
    gauge("pawl_oldest_due_seconds", "How long the oldest of them has been due.", lag / 1_000),
    gauge("pawl_expired_leases", "Leases that ran out and were not taken back yet.", state.expired.count),
    gauge(
      "pawl_last_tick_age_seconds",
      "How long the cron has been silent: since its last tick, or since it was idle no more.",
      tickAge / 1_000,
    ),
    labelled("pawl_events", "Sends of events that are not sent.", "status", {
      pending: state.eventsPending,
      dead: state.eventsDead,
    }),
    gauge("pawl_database_bytes", "Size of the database.", state.databaseBytes),
  ].join("");
}

function gauge(name: string, help: string, value: number): string {
  return `${head(name, help)}${name} ${value}\n`;
}

function labelled(
  name: string,
  help: string,
  label: string,
  counts: Readonly<Record<string, Count>>,
): string {
  const lines = Object.entries(counts).map(([value, { count }]) => `${name}{${label}="${value}"} ${count}\n`);
  return head(name, help) + lines.join("");
}

function head(name: string, help: string): string {
  return `# HELP ${name} ${help}\n# TYPE ${name} gauge\n`;
}
