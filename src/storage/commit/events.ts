import { given, type Part, turnOf } from "./part.ts";

/** Events go into the outbox with the commit, and from there to the sinks. `n` keeps the order in which they were made. */
export const addEvents: Part = {
  rowsOf: (decision) =>
    decision.effects.flatMap((effect, n) =>
      effect.kind === "emit" ? [{ ...turnOf(decision), n, ...effect.event }] : [],
    ),
  text: `
with ${given('"n" int, "id" text, "type" text, "subject" text, "data" jsonb')}
insert into pawl.outbox (tenant, id, run_id, workflow, type, subject, data, data_meta, emitted_at)
select g.tenant, g.id, r.id, r.workflow, g.type, g.subject, g.data -> 'json', nullif(g.data -> 'meta', 'null'), pawl.clock()
from given g join pawl.runs r on r.tenant = g.tenant and r.id = g."runId"
order by g.tenant, g."runId", g.n
on conflict do nothing`,
};
