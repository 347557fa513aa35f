/** What becomes of events that were sent, and of those that could not be: what people see, what they may do, what is forgotten. */
import type { EventFilter, EventLine } from "../engine/event.ts";
import type { Db } from "./db.ts";

const REDELIVER = `
with event as (select tenant, run_id, seq from pawl.outbox where tenant = $1 and id = $2),
again as (
  update pawl.outbox_sends s set status = 'pending', attempts = 0, next_at = pawl.clock(), last_error = null
  from event e
  where s.tenant = e.tenant and s.run_id = e.run_id and s.seq = e.seq and s.status = 'dead'
  returning s.sink
)
select (select count(*)::int from again) as again from event`;

/**
 * What is dead anywhere stays for a person to look at, and what waits for a sink stays for the sink. Asked for as a value:
 * of a mere "exists" the planner may read all sends.
 */
export const IS_SENT = `(select 1 from pawl.outbox_sends s where s.tenant = o.tenant and s.run_id = o.run_id and s.seq = o.seq
    and s.status <> 'sent' limit 1) is null`;

const FORGET = `
with at as materialized (select pawl.clock() as now),
old as materialized (
  select o.tenant, o.id, o.run_id, o.seq from pawl.outbox o
  where o.emitted_at <= (select now - $2::float8 * interval '1 ms' from at) and o.routed_at is not null and ${IS_SENT}
  order by o.emitted_at limit $1
  for update of o skip locked
),
sends as (
  delete from pawl.outbox_sends s using old o where s.tenant = o.tenant and s.run_id = o.run_id and s.seq = o.seq
)
delete from pawl.outbox o using old where o.tenant = old.tenant and o.id = old.id
returning o.seq`;

const SENDS = `
(select coalesce(json_agg(json_build_object('sink', s.sink, 'status', s.status, 'attempts', s.attempts,
    'nextAt', pawl.ms(s.next_at), 'lastError', s.last_error, 'sentAt', pawl.ms(s.sent_at)) order by s.sink), '[]')
  from pawl.outbox_sends s where s.tenant = o.tenant and s.run_id = o.run_id and s.seq = o.seq) as sends`;

const LINE = `
select o.tenant, o.id, o.seq::float8 as seq, o.run_id, o.workflow, o.type, o.subject, pawl.ms(o.emitted_at) as emitted_at,
  ${SENDS}
from pawl.outbox o where o.tenant = $1`;

const PAGE = `${LINE}
  and o.seq < coalesce($2::bigint, 9223372036854775807) and ($3::text is null or o.run_id = $3)
  and ($4::text is null or exists (select from pawl.outbox_sends s
    where s.tenant = o.tenant and s.run_id = o.run_id and s.seq = o.seq and s.status = $4))
order by o.seq desc limit $5`;

/** Few of many events are not sent: they are found by that. What is nowhere yet, because nobody has routed it, is pending. */
const PAGE_NOT_SENT = `${LINE}
  and o.seq in (
    (select s.seq from pawl.outbox_sends s
      where s.tenant = $1 and s.status = $4 and s.status <> 'sent' and ($3::text is null or s.run_id = $3)
        and s.seq < coalesce($2::bigint, 9223372036854775807)
      group by s.seq order by s.seq desc limit $5)
    union all
    (select u.seq from pawl.outbox u
      where u.tenant = $1 and $4 = 'pending' and u.routed_at is null and ($3::text is null or u.run_id = $3)
        and u.seq < coalesce($2::bigint, 9223372036854775807)
      order by u.seq desc limit $5))
order by o.seq desc limit $5`;

const ONE = `${LINE} and o.id = $2`;

interface Row {
  tenant: string;
  id: string;
  seq: number;
  run_id: string;
  workflow: string;
  type: string;
  subject: string | null;
  emitted_at: number;
  sends: EventLine["sends"];
}

export async function redeliverEvent(
  db: Db,
  tenant: string,
  id: string,
): Promise<"redelivered" | "not_dead" | "not_found"> {
  const [rows = []] = await db.execute([{ text: REDELIVER, params: [tenant, id] }]);
  const [event] = rows as { again?: number }[];
  if (event === undefined) return "not_found";
  return event.again === 0 ? "not_dead" : "redelivered";
}

export async function forgetEvents(db: Db, limit: number, olderThanMs: number): Promise<number> {
  const [rows = []] = await db.execute([{ text: FORGET, params: [limit, olderThanMs] }]);
  return rows.length;
}

export async function listEvents(
  db: Db,
  tenant: string,
  { run, status }: EventFilter,
  limit: number,
  before: number | null,
): Promise<EventLine[]> {
  const params = [tenant, before, run ?? null, status ?? null, limit];
  const text = status === undefined || status === "sent" ? PAGE : PAGE_NOT_SENT;
  const [rows = []] = await db.execute([{ text, params }]);
  return (rows as unknown as Row[]).map(toLine);
}

export async function findEvent(db: Db, tenant: string, id: string): Promise<EventLine | null> {
  const [rows = []] = await db.execute([{ text: ONE, params: [tenant, id] }]);
  const [row] = rows as unknown as Row[];
  return row === undefined ? null : toLine(row);
}

function toLine({ run_id: runId, emitted_at: emittedAt, ...row }: Row): EventLine {
  return { ...row, runId, emittedAt };
}
