import type { Moved } from "../engine/ports.ts";
import type { RunRef, RunStatus } from "../engine/run.ts";
import { CLEAR_UP, TELL_PARENTS } from "./commit/endings.ts";
import type { Db } from "./db.ts";
import { LIVE, LIVE_TREE, LOCK_TREE } from "./tree.ts";

const noted = (moved: string) => `
select set_config('pawl.committed',
  (select coalesce(jsonb_agg(jsonb_build_array(tenant, id)), '[]')::text from ${moved}), true) as refs`;

/** I3: a final status stays. The turns are raised, so whoever held a lease has lost it (I2). */
const CANCEL = `
with recursive ${LIVE_TREE},
cancelled as (
  update pawl.runs r
  set status = 'cancelled', turn = r.turn + 1, wake_at = null, wake_up_sent_at = null, lease_expires_at = null,
    paused_at = null, finished_at = pawl.clock()
  from tree t
  where r.tenant = t.tenant and r.id = t.id and r.status in ${LIVE}
  returning r.tenant, r.id
)
${noted("cancelled")}`;

/** Each run of the tree undoes what it did before it counts as cancelled; one that undoes already goes on with that. */
const UNDO = `
with recursive ${LIVE_TREE},
undoing as (
  update pawl.runs r
  set status = 'ready', turn = r.turn + 1, wake_at = pawl.clock(), wake_up_sent_at = pawl.clock(),
    lease_expires_at = null, lost_turns = 0, paused_at = null, phase = 'compensating',
    verdict = '{"status": "cancelled", "failure": null}'
  from tree t
  where r.tenant = t.tenant and r.id = t.id and r.status in ${LIVE} and r.phase = 'forward'
  returning r.tenant, r.id
)
${noted("undoing")}`;

const NO_TIMERS = `
delete from pawl.timers t using pawl.committed() c where t.tenant = c.tenant and t.run_id = c.run_id`;

/** Of the parents only those that are not cancelled themselves: that of the root, and dead letters in between. */
const TELL = `
with ended as (
  select c.tenant, c.run_id from pawl.committed() c join pawl.runs r on r.tenant = c.tenant and r.id = c.run_id
  left join pawl.committed() p on p.tenant = r.tenant and p.run_id = r.parent_id
  where p.run_id is null
),
${TELL_PARENTS}
select tenant, id from bumped where due`;

const CLEAR = `
with ended as (select tenant, run_id, 'cancelled' as status from pawl.committed()),
${CLEAR_UP}
select from ended`;

const MOVED = "select tenant, run_id as id from pawl.committed()";

interface Found {
  id: string;
  root: boolean;
  status: RunStatus;
  phase: string;
}

/** One transaction: the run, all its descendants, and the parent that waits for it hear of it together. */
export async function cancelRun(db: Db, { tenant, runId }: RunRef, compensate: boolean): Promise<Moved> {
  const tree = [tenant, runId];
  const statements = compensate
    ? [
        { text: LOCK_TREE, params: tree },
        { text: UNDO, params: tree },
        { text: MOVED, params: [] },
      ]
    : [
        { text: LOCK_TREE, params: tree },
        { text: CANCEL, params: tree },
        { text: NO_TIMERS, params: [] },
        { text: TELL, params: [] },
        { text: CLEAR, params: [] },
        { text: MOVED, params: [] },
      ];
  const answers = await db.execute(statements);
  const root = (answers[0] as unknown as Found[]).find((row) => row.root);
  if (root === undefined) return { result: "not_found", due: [] };
  const moved = (answers.at(-1) ?? []) as { tenant: string; id: string }[];
  const told = compensate ? moved : ((answers[3] ?? []) as { tenant: string; id: string }[]);
  const due = told.map(({ tenant, id }) => ({ tenant, runId: id, wakeInMs: 0 }));
  if (moved.some(({ id }) => id === runId)) return { result: "moved", due };
  const isOnItsWay = compensate && root.phase === "compensating" && !isOver(root.status);
  return { result: root.status === "cancelled" || isOnItsWay ? "unchanged" : root.status, due };
}

function isOver(status: RunStatus): boolean {
  return status === "completed" || status === "failed" || status === "dead";
}
