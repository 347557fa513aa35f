/**
 * Runs made from other runs. What is taken over is what settled a step before the one that the new run begins at, and
 * still holds: failures that a revive forgave are left out, and so are attempts that settled nothing. The journal is
 * read as of one instant, so that it is one the old run had, and the old run is not touched.
 */
import type { Fork, StartedRun } from "../engine/ports.ts";
import type { RunRef } from "../engine/run.ts";
import type { Db } from "./db.ts";
import { RUN_COLUMNS, type RunRow, toRun } from "./rows.ts";
import { CONFLICT, toRefusal } from "./start-runs.ts";

/** `$1` the tenant, `$2` the old run, `$3` the step or null. A map is meant by its name, too. */
const REUSED = `
old as materialized (
  select j.* from pawl.journal j where j.tenant = $1 and j.run_id = $2 and $3::text is not null
),
begin_at as materialized (
  select min(o.seq) as seq from old o
  where o.kind <> 'compensation' and (o.key = $3 or (starts_with(o.key, $3 || '[') and substr(o.key, length($3) + 1) ~ '^\\[\\d+\\]$'))
),
-- What was undone is not there to go on from: the new run begins before it, and so before every compensation.
undone as materialized (
  select min(o.seq) as seq from old o join old c on c.kind = 'compensation' and c.key = o.key || '#compensation'
  where o.kind <> 'compensation'
),
before as materialized (
  select o.*, lead(o.outcome) over w = 'revived' and lead(o.failure ->> 'step') over w = o.key as forgiven
  from old o, begin_at b, undone u
  where o.seq < least(b.seq, u.seq) and b.seq is not null
  window w as (order by o.seq)
),
settled as materialized (
  select b.key from before b
  where b.outcome in ('completed', 'timed_out') or (b.outcome = 'failed' and not coalesce(b.forgiven, false))
),
reused as materialized (
  select row_number() over (order by b.seq) as new_seq, b.* from before b
  where b.key in (select key from settled) and not coalesce(b.forgiven, false)
)`;

/** `$4` is the new run, `$5` its hooks. Nothing is inserted where the step is unknown or the key has a run already. */
const INSERT = `
with at as materialized (select pawl.clock() as now), ${REUSED},
asked as materialized (
  select * from jsonb_to_record($4::jsonb) as a (
    "id" text, "workflow" text, "version" int, "input" jsonb, "tags" text[], "idempotencyKey" text, "deployment" text)
),
forked as (
  insert into pawl.runs (tenant, id, workflow, version, status, wake_at, wake_up_sent_at, created_at, tags,
    idempotency_key, input, input_meta, forked_from, deployment, steps_done, journal_bytes)
  select $1, a.id, a.workflow, a.version, 'ready', at.now, at.now, at.now, a.tags, a."idempotencyKey",
    a.input -> 'json', nullif(a.input -> 'meta', 'null'), $2, a.deployment,
    (select count(*) from reused where kind in ('step', 'transaction') and outcome = 'completed'),
    (select coalesce(sum(octet_length(concat(output, output_meta, failure))), 0) from reused)
  from asked a cross join at cross join begin_at b
  where $3::text is null or b.seq is not null
  on conflict (tenant, workflow, idempotency_key) where idempotency_key is not null do nothing
  returning tenant, id, tags
),
tagged as (
  insert into pawl.run_tags (tenant, tag, run_id)
  select distinct f.tenant, tag, f.id from forked f, unnest(f.tags) as tag
),
journaled as (
  insert into pawl.journal (tenant, run_id, seq, kind, key, outcome, attempt, turn, started_at, recorded_at, retry_at,
    failure, output, output_meta)
  select f.tenant, f.id, o.new_seq, o.kind, o.key, o.outcome, o.attempt, 0, o.started_at, o.recorded_at, o.retry_at,
    o.failure, o.output, o.output_meta
  from forked f cross join reused o
),
-- Of joins and leaves of one name, the last counts; so too of subscriptions.
ties as materialized (
  select distinct on (t.kind, t.name) t.kind, t.name, t.made from (
    select o.new_seq, case when o.kind in ('join', 'leave') then 'group' else 'channel' end as kind,
      o.kind in ('join', 'subscribe') as made,
      regexp_replace(substr(o.key, length(o.kind) + 2), '#\\d+$', '') as name
    from reused o where o.kind in ('join', 'leave', 'subscribe', 'unsubscribe') and o.outcome = 'completed'
  ) t
  order by t.kind, t.name, t.new_seq desc
),
joined as (
  insert into pawl.run_groups (tenant, name, run_id, joined_at)
  select f.tenant, t.name, f.id, at.now from forked f cross join at cross join ties t where t.kind = 'group' and t.made
),
subscribed as (
  insert into pawl.subscriptions (tenant, channel, run_id, cursor, subscribed_at)
  select f.tenant, h.name, f.id,
    case when h.mode = 'broadcast' then coalesce((select max(m.id) from pawl.messages m
      where m.tenant = h.tenant and m.channel = h.name), 0) else 0 end, at.now
  from forked f cross join at cross join ties t join pawl.channels h on h.tenant = $1 and h.name = t.name
  where t.kind = 'channel' and t.made
),
hooked as (
  insert into pawl.hooks (tenant, run_id, key, digest, expires_at)
  select f.tenant, f.id, o.key, h.digest,
    at.now + coalesce((select k.expires_at - o.recorded_at from pawl.hooks k
      where k.tenant = $1 and k.run_id = $2 and k.key = o.key), interval '30 days')
  from forked f cross join at cross join reused o
  join jsonb_to_recordset($5::jsonb) as h ("key" text, "digest" text) on h.key = o.key
  where o.kind = 'hook' and o.outcome = 'completed'
)
select id from forked`;

/** As with starts: whoever lost to a key looks for its run in a statement of its own. */
const FIND = `
select ${RUN_COLUMNS},
  case when r.id <> $2 and (r.forked_from is distinct from $3 or r.input <> $5::jsonb -> 'json'
      or r.input_meta is distinct from nullif($5::jsonb -> 'meta', 'null'))
    then pawl.refuse('${CONFLICT}', jsonb_build_array(r.idempotency_key, r.id)::text) end
from pawl.runs r
where r.tenant = $1 and r.id = coalesce((select k.id from pawl.runs k
  where k.tenant = $1 and k.workflow = $4 and k.idempotency_key = $6), $2)`;

/** Null when the old run's journal has no such step. Throws `IdempotencyConflict`. */
export async function forkRun(
  db: Db,
  { tenant, runId }: RunRef,
  { run, from, hooks }: Fork,
): Promise<StartedRun | null> {
  const find = [tenant, run.id, runId, run.workflow, JSON.stringify(run.input), run.idempotencyKey];
  const [inserted = [], found = []] = await db
    .execute([
      { text: INSERT, params: [tenant, runId, from, JSON.stringify(run), JSON.stringify(hooks)] },
      { text: FIND, params: find },
    ])
    .catch((error: unknown) => {
      throw toRefusal(error);
    });
  const [row] = found as unknown as RunRow[];
  return row === undefined ? null : { run: toRun(row), created: inserted.length > 0, wakeInMs: 0 };
}
