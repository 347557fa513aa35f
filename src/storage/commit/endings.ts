import { isFinal } from "../../engine/run.ts";
import { bump } from "../bump.ts";
import { given, type Part, turnOf } from "./part.ts";

/**
 * What a run leaves behind. A failed one may be revived and keeps what it waits for; a dead one keeps its
 * branches too. Messages that were brought to it and not read are somebody else's again.
 */
export const CLEAR_UP = `
cleared as (
  select e.tenant, e.run_id, e.status in ('completed', 'cancelled') as wholly from ended e
  where e.status in ('completed', 'cancelled', 'failed')
),
no_branches as (
  delete from pawl.branches b using cleared e where b.tenant = e.tenant and b.run_id = e.run_id
),
no_waits as (
  delete from pawl.waits w using cleared e where e.wholly and w.tenant = e.tenant and w.run_id = e.run_id
),
no_deliveries as (
  delete from pawl.deliveries d using cleared e where e.wholly and d.tenant = e.tenant and d.run_id = e.run_id
),
given_back as (
  update pawl.messages m set claimed_by = null from cleared e where e.wholly and m.tenant = e.tenant and m.claimed_by = e.run_id
),
no_subscriptions as (
  delete from pawl.subscriptions s using cleared e where e.wholly and s.tenant = e.tenant and s.run_id = e.run_id
),
no_groups as (
  delete from pawl.run_groups m using cleared e where e.wholly and m.tenant = e.tenant and m.run_id = e.run_id
),
no_hooks as (
  delete from pawl.hooks h using cleared e where e.wholly and h.tenant = e.tenant and h.run_id = e.run_id
)`;

export const clearUp: Part = {
  rowsOf: (decision) => (isFinal(decision.status) ? [{ ...turnOf(decision), status: decision.status }] : []),
  text: `
with ${given('"status" text')},
ended as (select tenant, "runId" as run_id, status from given),
${CLEAR_UP}
select from ended`,
};

/**
 * Tells the parents of runs that have ended, once: only while their wait for this very child stands, and under a
 * name that is unique. The rows of the parents are locked already (I11). `ended` is a CTE with `tenant` and `run_id`.
 */
export const TELL_PARENTS = `
told as (
  insert into pawl.deliveries (tenant, run_id, kind, name, outcome, payload, payload_meta, failure, dedupe_id, arrived_at)
  select c.tenant, c.parent_id, 'child', c.parent_key, c.status, c.output, c.output_meta, c.failure, c.id, pawl.clock()
  from ended e join pawl.runs c on c.tenant = e.tenant and c.id = e.run_id
  join pawl.waits w on w.tenant = c.tenant and w.run_id = c.parent_id and w.key = c.parent_key and w.name = c.id
  where w.kind = 'child' and c.finished_at is not null and c.continued_to is null
  on conflict do nothing
  returning tenant, run_id
),
bumped as (${bump("told")})`;

export const tellParents: Part = {
  rowsOf: (decision) =>
    isFinal(decision.status) && decision.parent?.key != null && decision.successor === null
      ? [turnOf(decision)]
      : [],
  text: `
with ${given()},
ended as (select tenant, "runId" as run_id from given),
${TELL_PARENTS}
select tenant, id, null as branch, 0::float8 as wake_in_ms from bumped where due`,
};
