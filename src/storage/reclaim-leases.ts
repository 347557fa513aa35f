/**
 * I12: a lost turn is the platform's death, counted apart from the failures of the user's steps. The count
 * is of losses in a row: every commit sets it back.
 *
 * Reclaims are spaced out, with jitter: runs that died together should not meet again.
 */
import { LostTurnsExhausted, toFailure } from "../engine/errors.ts";
import type { Sweep } from "../engine/ports.ts";
import type { Db } from "./db.ts";

const RECLAIM = `
with at as materialized (select pawl.clock() as now),
expired as materialized (
  select tenant, id from pawl.runs
  where status = 'running' and lease_expires_at <= (select now from at)
  order by lease_expires_at limit $1
  for update skip locked
),
reclaimed as (
  update pawl.runs r
  set lost_turns = r.lost_turns + 1, turn = r.turn + 1, lease_expires_at = null,
    status = case when r.lost_turns + 1 >= $2 then 'dead' else 'ready' end,
    failure = case when r.lost_turns + 1 >= $2 then $3::jsonb end,
    finished_at = case when r.lost_turns + 1 >= $2 then at.now end,
    wake_at = case when r.lost_turns + 1 < $2
      then least(r.deadline_at, at.now + least(60, 2 ^ r.lost_turns) * (0.75 + random() / 4) * interval '1 s') end,
    wake_up_sent_at = case when r.lost_turns + 1 < $2 then at.now end
  from expired e, at
  where r.tenant = e.tenant and r.id = e.id
  returning r.tenant, r.id, r.status, r.wake_at
)
select r.tenant, r.id, r.status,
  greatest(0, ceil(extract(epoch from r.wake_at - at.now) * 1000))::float8 as wake_in_ms
from reclaimed r cross join at`;

export async function reclaimLeases(db: Db, limit: number, lostTurnLimit: number): Promise<Sweep> {
  const failure = toFailure(
    new LostTurnsExhausted(
      `The run lost ${lostTurnLimit} turns in a row: each time its invocation died, or its lease ran out, with nothing ` +
        "committed. Mend what kills it (memory, CPU time, an endless loop) and revive the run.",
    ),
  );
  const { stack: _, ...stored } = failure;
  const params = [limit, lostTurnLimit, JSON.stringify(stored)];
  const [rows = []] = await db.execute([{ text: RECLAIM, params }]);
  const reclaimed = rows as { tenant: string; id: string; status: string; wake_in_ms: number }[];
  const due = reclaimed
    .filter((row) => row.status === "ready")
    .map((row) => ({ tenant: row.tenant, runId: row.id, wakeInMs: row.wake_in_ms }));
  return { due, swept: reclaimed.length };
}
