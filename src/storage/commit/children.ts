import { given, type Part, turnOf } from "./part.ts";

/**
 * Runs that this one starts: children, detached runs, and the one that goes on in its place. Of a run that a person
 * holds they are held, too, but for the detached ones.
 */
export const startChildren: Part = {
  rowsOf: (decision) => {
    const started = decision.effects.flatMap((effect) => (effect.kind === "start" ? [effect.run] : []));
    const all = decision.successor === null ? started : [...started, decision.successor];
    return all.map(({ parent, ...run }) => ({
      ...turnOf(decision),
      ...run,
      parentId: parent?.runId ?? null,
      parentKey: parent?.key ?? null,
    }));
  },
  text: `
with at as materialized (select pawl.clock() as now),
${given(`"id" text, "workflow" text, "version" int, "input" jsonb, "tags" text[], "startAt" float8, "delayMs" float8,
    "deadlineAt" float8, "deadlineInMs" float8, "parentId" text, "parentKey" text, "continuedFrom" text,
    "deployment" text`)},
started as (
  insert into pawl.runs (tenant, id, workflow, version, status, wake_at, wake_up_sent_at, deadline_at, created_at,
    tags, input, input_meta, parent_id, parent_key, continued_from, paused_at, deployment, starts_at)
  select g.tenant, g.id, g.workflow, g.version, case when h.at is null then 'ready' else 'paused' end,
    case when h.at is null then w.at end,
    case when h.at is null and w.at < at.now + interval '1 day' then at.now end, d.at, at.now, g.tags, g.input -> 'json',
    nullif(g.input -> 'meta', 'null'), g."parentId", g."parentKey", g."continuedFrom", h.at, g.deployment,
    case when w.at > at.now then w.at end
  from given g join pawl.runs r on r.tenant = g.tenant and r.id = g."runId" cross join at
  cross join lateral (select case when g."parentKey" is not null or g."continuedFrom" is not null then r.paused_at end as at) h
  cross join lateral (select coalesce(to_timestamp(g."deadlineAt" / 1000), at.now + g."deadlineInMs" * interval '1 ms') as at) d
  cross join lateral (select least(d.at, greatest(at.now, to_timestamp(g."startAt" / 1000),
    at.now + g."delayMs" * interval '1 ms')) as at) w
  order by g.id
  returning tenant, id, tags, wake_at
),
tagged as (
  insert into pawl.run_tags (tenant, tag, run_id)
  select distinct s.tenant, tag, s.id from started s, unnest(s.tags) as tag
)
select s.tenant, s.id, null as branch,
  greatest(0, ceil(extract(epoch from s.wake_at - at.now) * 1000))::float8 as wake_in_ms
from started s cross join at where s.wake_at is not null`,
};

/** A run that goes on as another takes with it what has arrived, what it listens to, and whoever waits for it. */
export const moveOn: Part = {
  rowsOf: (decision) =>
    decision.successor === null ? [] : [{ ...turnOf(decision), id: decision.successor.id }],
  text: `
with ${given('"id" text')},
left_behind as (
  update pawl.runs r set continued_to = g.id, paused_at = null from given g where r.tenant = g.tenant and r.id = g."runId"
),
awaited as (
  update pawl.waits w set name = g.id from given g join pawl.runs r on r.tenant = g.tenant and r.id = g."runId"
  where w.tenant = r.tenant and w.run_id = r.parent_id and w.key = r.parent_key and w.kind = 'child' and w.name = r.id
),
arrived as (
  update pawl.deliveries d set run_id = g.id from given g
  where d.tenant = g.tenant and d.run_id = g."runId" and d.kind = 'signal'
),
counted as (
  update pawl.runs r set deliveries = 1 from given g where r.tenant = g.tenant and r.id = g.id
),
-- A broadcast that was brought and not read is still to come, and what was sent to the one is sent to the other.
subscribed as (
  update pawl.subscriptions s set run_id = g.id,
    cursor = least(s.cursor, (select min(m.id) - 1 from pawl.deliveries d
      join pawl.messages m on m.tenant = d.tenant and m.channel = s.channel and m.id = d.message_id
      where d.tenant = g.tenant and d.run_id = g."runId" and d.kind = 'message' and d.consumed_by is null))
  from given g where s.tenant = g.tenant and s.run_id = g."runId"
),
readdressed as (
  update pawl.messages m set to_run = g.id
  from given g join pawl.subscriptions s on s.tenant = g.tenant and s.run_id = g."runId"
  where m.tenant = s.tenant and m.channel = s.channel and m.to_run = g."runId" and coalesce(m.claimed_by, g."runId") = g."runId"
)
update pawl.run_groups m set run_id = g.id from given g where m.tenant = g.tenant and m.run_id = g."runId"`,
};
