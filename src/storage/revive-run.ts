import type { ReviveResult } from "../engine/ports.ts";
import type { RunRef, RunStatus } from "../engine/run.ts";
import type { Db } from "./db.ts";

/** A statement of its own: what follows must see the journal as it is once the row is ours. */
const LOCK = "select status from pawl.runs where tenant = $1 and id = $2 for update";

/** The journal keeps the failure that is forgiven: planners do not count it any more. */
const REVIVE = `
with at as materialized (select pawl.clock() as now),
failed as materialized (
  select tenant, id, failure from pawl.runs where tenant = $1 and id = $2 and status in ('failed', 'dead')
),
revived as (
  update pawl.runs r
  set status = 'ready', turn = r.turn + 1, lost_turns = 0, wake_at = at.now, wake_up_sent_at = at.now,
    finished_at = null, discarded_at = null, failure = null,
    deadline_at = case when r.deadline_at > at.now then r.deadline_at end
  from failed f, at
  where r.tenant = f.tenant and r.id = f.id
  returning r.tenant, r.id, r.turn, f.failure
)
insert into pawl.journal (tenant, run_id, seq, kind, outcome, attempt, turn, started_at, recorded_at, failure)
select r.tenant, r.id,
  1 + coalesce((select max(j.seq) from pawl.journal j where j.tenant = r.tenant and j.run_id = r.id), 0),
  'revival', 'revived', 1, r.turn, at.now, at.now, r.failure
from revived r cross join at
returning run_id`;

/** I3: the one way out of `failed` and `dead`, and it raises the turn. */
export async function reviveRun(db: Db, { tenant, runId }: RunRef): Promise<ReviveResult> {
  const params = [tenant, runId];
  const [found = [], revived = []] = await db.execute([
    { text: LOCK, params },
    { text: REVIVE, params },
  ]);
  if (revived.length > 0) return "revived";
  return (found[0]?.status as RunStatus | undefined) ?? "not_found";
}
