/**
 * I4: what a delivery does to its run, in the statement that inserts it: the count of deliveries goes up, so that
 * a turn which is under way does not park the run, and a run that is parked becomes due. `source` is a CTE with
 * `tenant` and `run_id`, a row per delivery, whose runs an earlier statement has locked (I11). Returns `due` where
 * a wake-up is to be sent.
 */
export const bump = (source: string) => `
update pawl.runs r
set deliveries = r.deliveries + n.count,
  wake_at = case when n.wakes then pawl.clock() else r.wake_at end,
  wake_up_sent_at = case when n.wakes then pawl.clock() else r.wake_up_sent_at end
from (
  select s.tenant, s.run_id, count(*)::int as count,
    bool_and(o.status = 'waiting' and (o.wake_at is null or o.wake_at > pawl.clock())) as wakes
  from ${source} s join pawl.runs o on o.tenant = s.tenant and o.id = s.run_id
  group by s.tenant, s.run_id
) n
where r.tenant = n.tenant and r.id = n.run_id
returning r.tenant, r.id, n.wakes as due`;

/** I11: locks the runs of `$1`, `[{tenant, runId}]`, in ascending order. */
export const LOCK_RUNS = `
select r.tenant, r.id from (select distinct tenant, "runId" from jsonb_to_recordset($1::jsonb) as g ("tenant" text, "runId" text)) g
join pawl.runs r on r.tenant = g.tenant and r.id = g."runId"
order by r.tenant, r.id
for update of r`;
