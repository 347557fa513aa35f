import type { ReviveResult } from "../engine/ports.ts";
import type { Phase, RunRef, RunStatus } from "../engine/run.ts";
import type { Db } from "./db.ts";

/** A statement of its own: what follows must see the journal as it is once the row is ours. */
const LOCK = "select status, phase from pawl.runs where tenant = $1 and id = $2 for update";

/**
 * The journal keeps the failure that is forgiven: planners do not count it any more. A failed run that has undone
 * what it did stays failed; a dead one goes on undoing.
 */
const REVIVE = `
with at as materialized (select pawl.clock() as now),
failed as materialized (
  select tenant, id, failure from pawl.runs
  where tenant = $1 and id = $2 and (status = 'dead' or (status = 'failed' and phase = 'forward'))
),
revived as (
  update pawl.runs r
  set status = 'ready', turn = r.turn + 1, lost_turns = 0, wake_at = at.now, wake_up_sent_at = at.now,
    finished_at = null, discarded_at = null, paused_at = null, failure = null,
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

/** Branches that were left alone while the run was dead: they have their budgets back, too. Only of a run that is revived next. */
const BRANCHES = `
update pawl.branches b set lost_turns = 0, spent = 0,
  wake_up_sent_at = case when b.wake_at < pawl.clock() + interval '1 day' then pawl.clock() end
from pawl.runs r
where b.tenant = $1 and b.run_id = $2 and r.tenant = b.tenant and r.id = b.run_id and r.status = 'dead'
  and r.phase = 'forward' and b.wake_at is not null
returning b.key, greatest(0, ceil(extract(epoch from b.wake_at - pawl.clock()) * 1000))::float8 as wake_in_ms`;

/** I3: the one way out of `failed` and `dead`, and it raises the turn. */
export async function reviveRun(db: Db, { tenant, runId }: RunRef): Promise<ReviveResult> {
  const params = [tenant, runId];
  const [found = [], branches = [], revived = []] = await db.execute([
    { text: LOCK, params },
    { text: BRANCHES, params },
    { text: REVIVE, params },
  ]);
  if (revived.length === 0) return { result: resultOf(found[0] as Found | undefined), due: [] };
  const ready = branches as { key: string; wake_in_ms: number }[];
  const due = ready.map(({ key, wake_in_ms }) => ({ tenant, runId, branch: key, wakeInMs: wake_in_ms }));
  return { result: "revived", due: [{ tenant, runId, wakeInMs: 0 }, ...due] };
}

interface Found {
  readonly status: RunStatus;
  readonly phase: Phase;
}

function resultOf(found: Found | undefined): ReviveResult["result"] {
  if (found === undefined) return "not_found";
  return found.status === "failed" && found.phase === "compensating" ? "undone" : found.status;
}
