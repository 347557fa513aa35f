/** Messages do not stay for ever: the cron deletes the old ones, in bounded shares that skip what is locked. */
import type { Db } from "./db.ts";

/**
 * True unless a run was brought the message and has not read it: it may yet have to give it back. Asked for as a value:
 * of a mere "exists" the planner may make a hash over all deliveries.
 */
export const IS_READ = `(select 1 from pawl.deliveries d where d.tenant = m.tenant and d.run_id = m.claimed_by
    and d.kind = 'message' and d.message_id = m.id and d.consumed_by is null limit 1) is null`;

const LOCK = `
with at as materialized (select pawl.clock() as now),
old as materialized (
  select m.tenant, m.channel, m.id from pawl.messages m
  where m.published_at < (select now from at) - $1::float8 * interval '1 ms' and ${IS_READ}
  order by m.published_at
  limit $2
  for update of m skip locked
)
select set_config('pawl.old_messages',
  (select coalesce(jsonb_agg(jsonb_build_array(tenant, channel, id)), '[]')::text from old), true) as refs`;

/** Asks again, with a snapshot of its own: until the row was locked, the message may have been brought to somebody. */
const DELETE = `
with old as materialized (
  select o ->> 0 as tenant, o ->> 1 as channel, (o ->> 2)::bigint as id
  from jsonb_array_elements(current_setting('pawl.old_messages')::jsonb) o
)
delete from pawl.messages m using old o
where m.tenant = o.tenant and m.channel = o.channel and m.id = o.id and ${IS_READ}
returning m.id`;

/** Those older than `retentionMs`, at most `limit`; gives how many. */
export async function deleteOldMessages(db: Db, retentionMs: number, limit: number): Promise<number> {
  const [, deleted = []] = await db.execute([
    { text: LOCK, params: [retentionMs, limit] },
    { text: DELETE, params: [] },
  ]);
  return deleted.length;
}
