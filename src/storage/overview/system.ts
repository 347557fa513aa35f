import { COUNT_LIMIT, type Count, type StuckRun, type SystemState } from "../../engine/overview.ts";
import { QueryTimeout } from "../../engine/refusals.ts";
import type { Db } from "../db.ts";

const LIMIT = COUNT_LIMIT + 1;

/** Everything that is counted here is found by an index over what is due, leased or not sent. */
const counted = (from: string) => `(select count(*)::int from (select ${from} limit ${LIMIT}) x)`;

/** Asked once: what may differ from row to row finds nothing by an index. */
const NOW = "(select pawl.clock())";

const oldestDue = (status: "ready" | "waiting") =>
  `(select r.wake_at from pawl.runs r where r.tenant = $1 and r.status = '${status}' and r.wake_at <= ${NOW}
    order by r.wake_at limit 1)`;

const STATE = `
select pawl.ms(pawl.clock()) as now, pawl.ms((select max(ticked_at) from pawl.ticks)) as last_tick_at,
  pawl.ms((select max(idle_until) from pawl.ticks)) as idle_until,
  (select max(name) from pawl.migrations) as last_migration,
  ${counted(`from pawl.runs r where r.tenant = $1 and r.status in ('ready', 'waiting') and r.wake_at <= ${NOW}`)} as due_runs,
  ${counted(`from pawl.branches b where b.tenant = $1 and b.wake_at <= ${NOW}`)} as due_branches,
  pawl.ms(least(${oldestDue("ready")}, ${oldestDue("waiting")},
    (select b.wake_at from pawl.branches b where b.tenant = $1 and b.wake_at <= ${NOW} order by b.wake_at limit 1)
  )) as oldest_due_at,
  ${counted("from pawl.runs r where r.tenant = $1 and r.status = 'running'")} as leased_runs,
  ${counted("from pawl.branches b where b.tenant = $1 and b.lease_expires_at is not null")} as leased_branches,
  ${counted(`from pawl.runs r where r.tenant = $1 and r.status = 'running' and r.lease_expires_at <= ${NOW}`)} as expired_runs,
  ${counted(`from pawl.branches b where b.tenant = $1 and b.lease_expires_at <= ${NOW}`)} as expired_branches,
  ${counted("from pawl.outbox_sends s where s.tenant = $1 and s.status = 'pending'")} as events_pending,
  ${counted("from pawl.outbox_sends s where s.tenant = $1 and s.status = 'dead'")} as events_dead,
  ${counted("from pawl.bulk_actions b where b.tenant = $1 and b.status = 'running'")} as bulk_actions,
  pg_database_size(current_database())::float8 as database_bytes`;

/** Rows as Postgres estimates them: counting would read them. */
const TABLES = `
select c.relname as name, pg_total_relation_size(c.oid)::float8 as bytes, greatest(0, c.reltuples)::float8 as rows
from pg_class c where c.relnamespace = 'pawl'::regnamespace and c.relkind = 'r' order by 2 desc`;

const STUCK = `
select v.id as "runId", v.status, v.reason from pawl.stuck_runs v where v.tenant = $1 limit $2`;

interface StateRow {
  readonly now: number;
  readonly last_tick_at: number | null;
  readonly idle_until: number | null;
  readonly last_migration: string | null;
  readonly due_runs: number;
  readonly due_branches: number;
  readonly oldest_due_at: number | null;
  readonly leased_runs: number;
  readonly leased_branches: number;
  readonly expired_runs: number;
  readonly expired_branches: number;
  readonly events_pending: number;
  readonly events_dead: number;
  readonly bulk_actions: number;
  readonly database_bytes: number;
}

export async function readSystem(db: Db, tenant: string): Promise<SystemState> {
  const [[found] = [], tables = []] = await db.execute([
    { text: STATE, params: [tenant] },
    { text: TABLES, params: [] },
  ]);
  const row = found as unknown as StateRow;
  return {
    now: row.now,
    lastMigration: row.last_migration,
    lastTickAt: row.last_tick_at,
    idleUntil: row.idle_until,
    due: toCount(row.due_runs + row.due_branches),
    oldestDueAt: row.oldest_due_at,
    leased: toCount(row.leased_runs + row.leased_branches),
    expired: toCount(row.expired_runs + row.expired_branches),
    eventsPending: toCount(row.events_pending),
    eventsDead: toCount(row.events_dead),
    bulkActions: row.bulk_actions,
    databaseBytes: row.database_bytes,
    tables: tables as unknown as SystemState["tables"],
  };
}

export async function findStuckRuns(
  db: Db,
  tenant: string,
  limit: number,
): Promise<readonly StuckRun[] | null> {
  try {
    const [rows = []] = await db.execute([{ text: STUCK, params: [tenant, limit] }]);
    return rows as unknown as StuckRun[];
  } catch (error) {
    if (error instanceof QueryTimeout) return null;
    throw error;
  }
}

function toCount(count: number): Count {
  return { count: Math.min(count, COUNT_LIMIT), exact: count <= COUNT_LIMIT };
}
