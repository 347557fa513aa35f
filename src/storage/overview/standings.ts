import type { Standing, Standstill } from "../../engine/overview.ts";
import type { Db } from "../db.ts";
import { type LastEntryRow, toLastEntry } from "./entries.ts";

/** How many things of a kind that a run waits for are counted. */
const FEW = 101;

/** A run that waits for nothing else backs off before a retry, where its journal ends with one. */
const STANDINGS = `
select r.id as run_id, r.status = 'waiting' as waiting,
  l.kind, l.key, l.outcome, l.attempt, pawl.ms(l.recorded_at) as recorded_at, pawl.ms(l.retry_at) as retry_at,
  l.failure ->> 'name' as failure_name, left(l.failure ->> 'message', 200) as failure_message,
  s.kind as waits_kind, s.key as waits_key, s.name as waits_name, pawl.ms(s.until) as waits_until, s.others::int as waits_others
from unnest($2::text[]) a (id)
join pawl.runs r on r.tenant = $1 and r.id = a.id
left join lateral (
  select j.* from pawl.journal j where j.tenant = r.tenant and j.run_id = r.id order by j.seq desc limit 1
) l on true
left join lateral (
  select x.*, count(*) over () - 1 as others from (
    (select 'sleep' as kind, t.key, null as name, t.due_at as until, t.begun_at from pawl.timers t
      where t.tenant = r.tenant and t.run_id = r.id order by t.key limit ${FEW})
    union all
    (select w.kind, w.key, w.name, w.due_at, w.begun_at from pawl.waits w
      where w.tenant = r.tenant and w.run_id = r.id order by w.key limit ${FEW})
    union all
    (select 'branch', b.key, null, b.wake_at, b.begun_at from pawl.branches b
      where b.tenant = r.tenant and b.run_id = r.id order by b.key limit ${FEW})
  ) x
  order by x.begun_at, x.key limit 1
) s on r.status = 'waiting'`;

interface StandingRow extends Partial<LastEntryRow> {
  readonly run_id: string;
  readonly waiting: boolean;
  readonly waits_kind: Standstill["kind"] | null;
  readonly waits_key: string;
  readonly waits_name: string | null;
  readonly waits_until: number | null;
  readonly waits_others: number;
}

export async function readStandings(db: Db, tenant: string, runIds: readonly string[]): Promise<Standing[]> {
  if (runIds.length === 0) return [];
  const [rows = []] = await db.execute([{ text: STANDINGS, params: [tenant, runIds] }]);
  return (rows as unknown as StandingRow[]).map(toStanding);
}

function toStanding(row: StandingRow): Standing {
  const last = row.kind == null ? null : toLastEntry(row as LastEntryRow);
  return { runId: row.run_id, last, waitsFor: row.waiting ? toStandstill(row, last) : null };
}

function toStandstill(row: StandingRow, last: Standing["last"]): Standstill | null {
  if (row.waits_kind !== null) {
    const {
      waits_kind: kind,
      waits_key: key,
      waits_name: name,
      waits_until: until,
      waits_others: others,
    } = row;
    return { kind, key, name, until, others };
  }
  if (last?.retryAt == null || last.key === null) return null;
  return { kind: "retry", key: last.key, name: null, until: last.retryAt, others: 0 };
}
