import type { When } from "../../engine/edge.ts";
import { given, type Part, turnOf } from "./part.ts";

/** Steps that run apart from now on, each with a wake-up of its own. */
export const forkBranches: Part = {
  rowsOf: (decision) =>
    decision.branches.map(({ key, askedAt, attempt, spent, due }) => ({
      ...turnOf(decision),
      key,
      askedAt,
      attempt,
      spent,
      ...spanOf(due),
    })),
  text: `
with at as materialized (select pawl.clock() as now),
${given('"key" text, "askedAt" int, "attempt" int, "spent" int, "dueAt" float8, "dueInMs" float8')},
forked as (
  insert into pawl.branches (tenant, run_id, key, asked_at, attempt, spent, wake_at, wake_up_sent_at, begun_at)
  select g.tenant, g."runId", g.key, g."askedAt", g.attempt, g.spent, w.at,
    case when w.at < at.now + interval '1 day' then at.now end, at.now
  from given g cross join at cross join lateral
    (select coalesce(to_timestamp(g."dueAt" / 1000), at.now + g."dueInMs" * interval '1 ms') as at) w
  on conflict do nothing
  returning tenant, run_id, key, wake_at
)
select f.tenant, f.run_id as id, f.key as branch,
  greatest(0, ceil(extract(epoch from f.wake_at - at.now) * 1000))::float8 as wake_in_ms
from forked f cross join at`,
};

/** Branches that nobody waits for any more. Of a run that compensates, only those that nobody performs. */
export const endBranches: Part = {
  rowsOf: (decision) =>
    decision.endedBranches.map((key) => ({ ...turnOf(decision), key, idle: decision.verdict !== null })),
  text: `
with ${given('"key" text, "idle" boolean')}
delete from pawl.branches b using given g
where b.tenant = g.tenant and b.run_id = g."runId" and b.key = g.key and (b.lease_expires_at is null or not g.idle)`,
};

function spanOf(due: When | null): { dueAt: number | null; dueInMs: number | null } {
  if (due === null) return { dueAt: null, dueInMs: 0 };
  return "at" in due ? { dueAt: due.at, dueInMs: null } : { dueAt: null, dueInMs: due.inMs };
}
