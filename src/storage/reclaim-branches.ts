/**
 * Takes branches back whose lease has run out. What becomes of one: it is tried again, spaced out; at the limit
 * its run is told that it died (I12); an at-most-once body that had begun is a person's to judge; of a run that goes
 * no further it just goes.
 *
 * I11: runs are locked before their branches; a run that somebody else holds is left for the next tick.
 */
import { LostTurnsExhausted } from "../engine/errors.ts";
import { toFailure } from "../engine/failure.ts";
import type { Sweep } from "../engine/ports.ts";
import { bump } from "./bump.ts";
import type { Db } from "./db.ts";
import { isAmong, sparing } from "./sparing.ts";

const RECLAIM = `
with at as materialized (select pawl.clock() as now),
expired as materialized (
  select tenant, run_id, key from pawl.branches
  where lease_expires_at <= (select now from at) and ${isAmong("tenant", "run_id", "$3")}
  order by lease_expires_at limit $1
),
locked as materialized (
  select r.tenant, r.id, r.phase from (select distinct tenant, run_id from expired) e
  join pawl.runs r on r.tenant = e.tenant and r.id = e.run_id
  order by r.tenant, r.id
  for update of r skip locked
),
fates as materialized (
  select b.tenant, b.run_id, b.key,
    case when l.phase <> 'forward' then 'gone' when b.started then 'unknown'
      when b.lost_turns + 1 >= $2 then 'dead' else 'again' end as fate
  from expired e join locked l on l.tenant = e.tenant and l.id = e.run_id
  join pawl.branches b on b.tenant = e.tenant and b.run_id = e.run_id and b.key = e.key
  where b.lease_expires_at <= (select now from at)
  for update of b
),
again as (
  update pawl.branches b
  set lost_turns = b.lost_turns + 1, turn = b.turn + 1, lease_expires_at = null, wake_up_sent_at = at.now,
    wake_at = at.now + least(60, 2 ^ b.lost_turns) * (0.75 + random() / 4) * interval '1 s'
  from fates f, at
  where f.fate = 'again' and b.tenant = f.tenant and b.run_id = f.run_id and b.key = f.key
  returning b.tenant, b.run_id, b.key, b.wake_at
),
gone as (
  delete from pawl.branches b using fates f
  where f.fate <> 'again' and b.tenant = f.tenant and b.run_id = f.run_id and b.key = f.key
  returning b.tenant, b.run_id, b.key, f.fate, b.attempt, b.attempts, b.begun_at
),
delivered as (
  insert into pawl.deliveries (tenant, run_id, kind, name, outcome, attempt, attempts, failure, arrived_at,
    queued_at)
  select g.tenant, g.run_id, 'branch', g.key, g.fate, g.attempt, g.attempts,
    case g.fate when 'dead' then $4::jsonb || jsonb_build_object('step', g.key) end, at.now, g.begun_at
  from gone g, at where g.fate <> 'gone'
),
bumped as (${bump("gone")})
select a.tenant, a.run_id as id, a.key as branch,
  greatest(0, ceil(extract(epoch from a.wake_at - at.now) * 1000))::float8 as wake_in_ms, true as wakes
from again a cross join at
union all
select tenant, id, null, 0, due from bumped`;

interface Row {
  tenant: string;
  id: string;
  branch: string | null;
  wake_in_ms: number;
  wakes: boolean;
}

const EXPIRED = `
select distinct tenant, run_id as id from (
  select tenant, run_id from pawl.branches where lease_expires_at <= pawl.clock() order by lease_expires_at limit $1
) expired`;

export function reclaimBranches(db: Db, limit: number, lostTurnLimit: number): Promise<Sweep> {
  return sparing(db, { text: EXPIRED, params: [limit] }, (only) => reclaim(db, limit, lostTurnLimit, only));
}

async function reclaim(db: Db, limit: number, lostTurnLimit: number, only: string | null): Promise<Sweep> {
  const failure = toFailure(
    new LostTurnsExhausted(
      `A step lost its invocation ${lostTurnLimit} times in a row, each time with nothing committed. Mend what ` +
        "kills it (memory, CPU time, an endless loop) and revive the run.",
    ),
  );
  const { stack: _, ...stored } = failure;
  const params = [limit, lostTurnLimit, only, JSON.stringify(stored)];
  const [rows = []] = (await db.execute([{ text: RECLAIM, params }])) as unknown as [Row[]];
  const due = rows
    .filter(({ wakes }) => wakes)
    .map(({ tenant, id, branch, wake_in_ms }) => ({
      tenant,
      runId: id,
      wakeInMs: wake_in_ms,
      branch: branch ?? undefined,
    }));
  return { due, swept: rows.length };
}
