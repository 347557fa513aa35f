import { given, type Part, turnOf } from "./part.ts";

/** Waits that begin. One whose fact is there already leaves the run ready: what is buffered must not be slept over. */
export const beginWaits: Part = {
  rowsOf: (decision) =>
    decision.waits.map(({ key, kind, name, due }) => ({
      ...turnOf(decision),
      key,
      kind,
      name,
      dueAt: due !== null && "at" in due ? due.at : null,
      dueInMs: due !== null && "inMs" in due ? due.inMs : null,
    })),
  text: `
with at as materialized (select pawl.clock() as now),
${given('"key" text, "kind" text, "name" text, "dueAt" float8, "dueInMs" float8')},
begun as (
  insert into pawl.waits (tenant, run_id, key, kind, name, begun_at, due_at, turn)
  select g.tenant, g."runId", g.key, g.kind, g.name, at.now,
    coalesce(to_timestamp(g."dueAt" / 1000), at.now + g."dueInMs" * interval '1 ms'), g.turn
  from given g cross join at
),
answered as (
  select distinct g.tenant, g."runId" from given g join pawl.deliveries d
    on d.tenant = g.tenant and d.run_id = g."runId" and d.kind = g.kind and d.consumed_by is null
    and d.name = case when g.kind in ('signal', 'mutation') then g.name else g.key end
)
update pawl.runs r set status = 'ready', wake_at = at.now, wake_up_sent_at = at.now
from answered a, at
where r.tenant = a.tenant and r.id = a."runId" and r.status = 'waiting'
returning r.tenant, r.id, null as branch, 0::float8 as wake_in_ms`,
};

export const endWaits: Part = {
  rowsOf: (decision) => decision.endedWaits.map((key) => ({ ...turnOf(decision), key })),
  text: `
with ${given('"key" text')}
delete from pawl.waits w using given g
where w.tenant = g.tenant and w.run_id = g."runId" and w.key = g.key`,
};
