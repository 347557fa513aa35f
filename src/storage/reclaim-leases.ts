/**
 * I12: a lost turn is the platform's death, counted apart from the failures of the user's steps. The count
 * is of losses in a row: every commit sets it back.
 *
 * Reclaims are spaced out, with jitter: runs that died together should not meet again.
 */
import { LostTurnsExhausted } from "../engine/errors.ts";
import { toFailure } from "../engine/failure.ts";
import type { Sweep } from "../engine/ports.ts";
import { TELL_PARENTS } from "./commit/endings.ts";
import type { Db } from "./db.ts";
import { isAmong, sparing } from "./sparing.ts";

/** I11: of runs that are about to die, the parents that wait for them are locked too, all in ascending order. */
const LOCK_DYING = `
with at as materialized (select pawl.clock() as now),
dying as materialized (
  select tenant, id, parent_id from pawl.runs
  where status = 'running' and lease_expires_at <= (select now from at) and lost_turns + 1 >= $2 and parent_key is not null
    and ${isAmong("tenant", "id", "$3")}
  order by lease_expires_at limit $1
),
locked as materialized (
  select r.tenant, r.id from (select tenant, id from dying union select tenant, parent_id from dying) d
  join pawl.runs r on r.tenant = d.tenant and r.id = d.id
  order by r.tenant, r.id
  for update of r
)
select set_config('pawl.locked', (select coalesce(jsonb_agg(id), '[]')::text from locked), true)`;

const RECLAIM = `
with at as materialized (select pawl.clock() as now),
expired as materialized (
  select tenant, id from pawl.runs
  where status = 'running' and lease_expires_at <= (select now from at)
    and (lost_turns + 1 < $2 or parent_key is null or current_setting('pawl.locked')::jsonb ? id)
    and ${isAmong("tenant", "id", "$3")}
  order by lease_expires_at limit $1
  for update skip locked
),
reclaimed as (
  update pawl.runs r
  set lost_turns = r.lost_turns + 1, turn = r.turn + 1, lease_expires_at = null,
    status = case when r.lost_turns + 1 >= $2 then 'dead' when r.paused_at is not null then 'paused' else 'ready' end,
    paused_at = case when r.lost_turns + 1 < $2 then r.paused_at end,
    failure = case when r.lost_turns + 1 >= $2 then $4::jsonb end,
    finished_at = case when r.lost_turns + 1 >= $2 then at.now end,
    wake_at = case when r.lost_turns + 1 < $2 and r.paused_at is null
      then least(case r.phase when 'forward' then r.deadline_at end, at.now + least(60, 2 ^ r.lost_turns) * (0.75 + random() / 4) * interval '1 s') end,
    wake_up_sent_at = case when r.lost_turns + 1 < $2 and r.paused_at is null then at.now end
  from expired e, at
  where r.tenant = e.tenant and r.id = e.id
  returning r.tenant, r.id, r.status, r.wake_at
)
select r.tenant, r.id, r.status, noted.refs,
  greatest(0, ceil(extract(epoch from r.wake_at - at.now) * 1000))::float8 as wake_in_ms
from (select set_config('pawl.committed',
  (select coalesce(jsonb_agg(jsonb_build_array(tenant, id)), '[]')::text from reclaimed where status = 'dead'), true) as refs) noted
left join reclaimed r on true cross join at`;

const TELL = `
with ended as (select tenant, run_id from pawl.committed()),
${TELL_PARENTS}
select tenant, id from bumped where due`;

const EXPIRED = `
select tenant, id from pawl.runs where status = 'running' and lease_expires_at <= pawl.clock()
order by lease_expires_at limit $1`;

export function reclaimLeases(db: Db, limit: number, lostTurnLimit: number): Promise<Sweep> {
  return sparing(db, { text: EXPIRED, params: [limit] }, (only) => reclaim(db, limit, lostTurnLimit, only));
}

async function reclaim(db: Db, limit: number, lostTurnLimit: number, only: string | null): Promise<Sweep> {
  const failure = toFailure(
    new LostTurnsExhausted(
      `The run lost ${lostTurnLimit} turns in a row: each time its invocation died, or its lease ran out, with nothing ` +
        "committed. Mend what kills it (memory, CPU time, an endless loop) and revive the run.",
    ),
  );
  const { stack: _, ...stored } = failure;
  const params = [limit, lostTurnLimit, only, JSON.stringify(stored)];
  const [, rows = [], told = []] = await db.execute([
    { text: LOCK_DYING, params: params.slice(0, 3) },
    { text: RECLAIM, params },
    { text: TELL, params: [] },
  ]);
  const reclaimed = (rows as unknown as Reclaimed[]).filter(({ id }) => id !== null);
  const due = reclaimed
    .filter((row) => row.status === "ready")
    .map((row) => ({ tenant: row.tenant, runId: row.id, wakeInMs: row.wake_in_ms }));
  const parents = (told as unknown as Reclaimed[]).map(({ tenant, id }) => ({
    tenant,
    runId: id,
    wakeInMs: 0,
  }));
  return { due: [...due, ...parents], swept: reclaimed.length };
}

interface Reclaimed {
  tenant: string;
  id: string;
  status: string;
  wake_in_ms: number;
}
