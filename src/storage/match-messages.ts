/**
 * Brings messages to the runs that wait for them. It is asked after every message and after every commit that began a
 * wait: whichever of the two commits last sees the other. The sweep asks over all channels, for what was asked in
 * between and died.
 *
 * I4: the runs are locked in a statement of its own, in ascending order (I11); what is there for them is looked for in
 * the next, with a snapshot that sees what others brought them meanwhile.
 *
 * A wait whose time is over is brought nothing: its turn gives it up, and would leave the message behind.
 */

import { toFailure } from "../engine/failure.ts";
import type { DueRun } from "../engine/ports.ts";
import { NotSubscribed } from "../engine/refusals.ts";
import { bump } from "./bump.ts";
import type { Db } from "./db.ts";

/** A run that can take a message. */
const RECEIVES = "r.status in ('ready', 'running', 'waiting', 'paused') and r.phase = 'forward'";

/**
 * A wait `w` for a message that nothing was brought to yet. As a join, the deliveries would be read as a whole, for
 * every wait, wherever Postgres believes that there are few.
 */
const OPEN = `w.kind = 'message' and (w.due_at is null or w.due_at > (select now from at))
  and (select d.id from pawl.deliveries d where d.tenant = w.tenant and d.run_id = w.run_id and d.kind = 'message'
    and d.name = w.key and d.consumed_by is null limit 1) is null`;

/**
 * The longest-waiting runs that there is something for, at most `$1`. It goes by what there is, not by who waits: of
 * many who wait on a channel, few can be brought anything. `h` is the channel, `unsubscribed` which waits without a
 * subscription are looked for.
 */
const lock = (channels: string, unsubscribed: string) => `
with at as materialized (select pawl.clock() as now),
behind as (
  select w.tenant, w.run_id, w.begun_at from pawl.channels h
  cross join lateral (select max(m.id) as newest from pawl.messages m where m.tenant = h.tenant and m.channel = h.name) n
  cross join lateral (select s.tenant, s.channel, s.run_id from pawl.subscriptions s
    where s.tenant = h.tenant and s.channel = h.name and s.cursor < n.newest offset 0) s
  join pawl.waits w on w.tenant = s.tenant and w.run_id = s.run_id and w.name = s.channel
  join pawl.runs r on r.tenant = w.tenant and r.id = w.run_id
  where h.mode = 'broadcast' and ${channels} and ${OPEN} and ${RECEIVES}
),
addressed as (
  select w.tenant, w.run_id, w.begun_at from pawl.channels h
  join pawl.messages m on m.tenant = h.tenant and m.channel = h.name and m.claimed_by is null
  join pawl.subscriptions s on s.tenant = h.tenant and s.channel = h.name and s.run_id = m.to_run
  join pawl.waits w on w.tenant = s.tenant and w.run_id = s.run_id and w.name = s.channel
  join pawl.runs r on r.tenant = w.tenant and r.id = w.run_id
  where h.mode = 'direct' and ${channels} and ${OPEN} and ${RECEIVES}
),
first as (
  select f.tenant, f.run_id, f.begun_at from pawl.channels h
  cross join lateral (select count(*) as count from (select from pawl.messages m
    where m.tenant = h.tenant and m.channel = h.name and m.claimed_by is null limit $1) m) n
  cross join lateral (select w.tenant, w.run_id, w.begun_at from pawl.waits w
    join pawl.subscriptions s on s.tenant = w.tenant and s.channel = w.name and s.run_id = w.run_id
    join pawl.runs r on r.tenant = w.tenant and r.id = w.run_id
    where w.tenant = h.tenant and w.name = h.name and n.count > 0 and ${OPEN} and ${RECEIVES}
    order by w.begun_at, w.run_id limit n.count) f
  where h.mode = 'competing' and ${channels}
),
stray as materialized (
  select w.* from pawl.waits w cross join at
  where w.kind = 'message' and ${unsubscribed} and not exists (select from pawl.subscriptions s
    where s.tenant = w.tenant and s.channel = w.name and s.run_id = w.run_id)
),
lost as (
  select w.tenant, w.run_id, w.begun_at from stray w
  join pawl.runs r on r.tenant = w.tenant and r.id = w.run_id
  where ${OPEN} and ${RECEIVES}
),
chosen as (
  select c.tenant, c.run_id
  from (table behind union all table addressed union all table first union all table lost) c
  group by c.tenant, c.run_id
  order by min(c.begun_at), c.run_id
  limit $1
),
locked as materialized (
  select r.tenant, r.id from chosen c join pawl.runs r on r.tenant = c.tenant and r.id = c.run_id
  where ${RECEIVES}
  order by r.tenant, r.id
  for update of r
)
select set_config('pawl.committed',
  (select coalesce(jsonb_agg(jsonb_build_array(tenant, id)), '[]')::text from locked), true) as refs`;

/** Who has unsubscribed while it waited is found by the sweep. */
const JUST_BEGUN = "w.begun_at > (select now from at) - interval '1 minute'";

const LOCK_CHANNEL = lock("h.tenant = $2 and h.name = $3", `w.tenant = $2 and w.name = $3 and ${JUST_BEGUN}`);
const LOCK_TENANT = lock("h.tenant = $2", "w.tenant = $2");
const LOCK_ALL = lock("true", "true");

/** `cursor` is null where there is no subscription; `place` is that in the queue of the channel, `nth` that among the run's own. What one run is brought arrives in the order of its waits. */
const BRING = `
with at as materialized (select pawl.clock() as now),
waiting as materialized (
  select w.tenant, w.run_id, w.key, w.name as channel, w.begun_at, h.mode, s.cursor,
    row_number() over (partition by w.tenant, w.name, s.cursor is null order by w.begun_at, w.run_id, length(w.key), w.key) as place,
    row_number() over (partition by w.tenant, w.name, w.run_id order by w.begun_at, length(w.key), w.key) as nth
  from pawl.committed() c
  join pawl.waits w on w.tenant = c.tenant and w.run_id = c.run_id
  left join pawl.channels h on h.tenant = w.tenant and h.name = w.name
  left join pawl.subscriptions s on s.tenant = w.tenant and s.channel = w.name and s.run_id = w.run_id
  where ${OPEN}
),
addressed as (
  select m.tenant, m.channel, m.to_run as run_id, m.id, m.payload, m.payload_meta,
    row_number() over (partition by m.tenant, m.channel, m.to_run order by m.id) as nth
  from (select distinct w.tenant, w.channel, w.run_id from waiting w where w.mode = 'direct' and w.cursor is not null) q
  join pawl.messages m on m.tenant = q.tenant and m.channel = q.channel and m.to_run = q.run_id
  where m.claimed_by is null
),
queues as (
  select w.tenant, w.channel, count(*) as wanted from waiting w
  where w.mode = 'competing' and w.cursor is not null group by w.tenant, w.channel
),
taken as materialized (
  select q.tenant, q.channel, m.id, m.payload, m.payload_meta
  from queues q cross join lateral (select m.id, m.payload, m.payload_meta from pawl.messages m
    where m.tenant = q.tenant and m.channel = q.channel and m.claimed_by is null
    order by m.id limit q.wanted for update skip locked) m
),
shared as (
  select t.*, row_number() over (partition by t.tenant, t.channel order by t.id) as place from taken t
),
brought as materialized (
  select w.*, m.id as message_id, m.payload, m.payload_meta from waiting w
  cross join lateral (select n.* from (select m.*, row_number() over (order by m.id) as nth
    from (select m.id, m.payload, m.payload_meta from pawl.messages m
      where m.tenant = w.tenant and m.channel = w.channel and m.id > w.cursor order by m.id limit w.nth) m) n
    where n.nth = w.nth) m
  where w.mode = 'broadcast' and w.cursor is not null
  union all
  select w.*, m.id, m.payload, m.payload_meta from waiting w
  join addressed m on m.tenant = w.tenant and m.channel = w.channel and m.run_id = w.run_id and m.nth = w.nth
  where w.mode = 'direct'
  union all
  select w.*, m.id, m.payload, m.payload_meta from waiting w
  join shared m on m.tenant = w.tenant and m.channel = w.channel and m.place = w.place
  where w.mode = 'competing' and w.cursor is not null
),
passed as (
  update pawl.subscriptions s set cursor = b.id
  from (select tenant, channel, run_id, max(message_id) as id from brought where mode = 'broadcast' group by tenant, channel, run_id) b
  where s.tenant = b.tenant and s.channel = b.channel and s.run_id = b.run_id
),
claimed as (
  update pawl.messages m set claimed_by = b.run_id from brought b
  where b.mode <> 'broadcast' and m.tenant = b.tenant and m.channel = b.channel and m.id = b.message_id
),
delivered as (
  insert into pawl.deliveries (tenant, run_id, kind, name, outcome, payload, payload_meta, failure, message_id, arrived_at)
  select d.tenant, d.run_id, 'message', d.key, d.outcome, d.payload, d.payload_meta, d.failure, d.message_id, at.now
  from (
    select b.*, 'completed' as outcome, null::jsonb as failure from brought b
    union all
    select w.*, null, null, null, 'failed', $1::jsonb from waiting w where w.cursor is null
  ) d cross join at
  order by d.begun_at, length(d.key), d.key
  returning tenant, run_id
),
bumped as (${bump("delivered")})
select tenant, id from bumped where due`;

const { stack: _, ...NOT_SUBSCRIBED } = toFailure(new NotSubscribed());

/** On one channel of a tenant, on all of them, or everywhere. */
export async function matchMessages(
  db: Db,
  tenant: string | null,
  channel: string | null,
  limit: number,
): Promise<DueRun[]> {
  const [text, ...names] =
    tenant === null ? [LOCK_ALL] : channel === null ? [LOCK_TENANT, tenant] : [LOCK_CHANNEL, tenant, channel];
  const [, due = []] = await db.execute([
    { text, params: [limit, ...names] },
    { text: BRING, params: [JSON.stringify(NOT_SUBSCRIBED)] },
  ]);
  return (due as { tenant: string; id: string }[]).map((row) => ({
    tenant: row.tenant,
    runId: row.id,
    wakeInMs: 0,
  }));
}
