/**
 * Events on their way to the sinks, at least once, and of one run to one sink in the order in which they were made.
 *
 * An event gets its sends when it is routed, not when it is inserted: commits and transactions need not know the
 * sinks, and one that is configured later gets nothing old. Routing waits for rows that somebody else routes instead of
 * skipping them: an event must not be on its way before an earlier one of its run is.
 */
import type { Json } from "../engine/codec.ts";
import type { ClaimedSend, Route, SendOutcome } from "../engine/event.ts";
import type { Db } from "./db.ts";

const ROUTE = `
with at as materialized (select pawl.clock() as now),
routes as materialized (select * from jsonb_to_recordset($1::jsonb) as r ("sink" text, "patterns" text[])),
new as materialized (
  select o.tenant, o.id, o.seq, o.run_id, o.type from pawl.outbox o where o.routed_at is null
  order by o.seq limit $2
  for update of o
),
sends as (
  insert into pawl.outbox_sends (tenant, run_id, sink, seq, next_at)
  select n.tenant, n.run_id, r.sink, n.seq, at.now
  from new n join routes r on n.type like any (r.patterns) cross join at
)
update pawl.outbox o set routed_at = at.now from new n, at where o.tenant = n.tenant and o.id = n.id
returning o.seq`;

/** A row that is taken elsewhere is skipped; that it is the first of its run cannot change while nobody sends it. */
const CLAIM = `
with at as materialized (select pawl.clock() as now),
due as materialized (
  select s.tenant, s.run_id, s.sink, s.seq from pawl.outbox_sends s
  where s.sink = $1 and s.status = 'pending' and s.next_at <= (select now from at)
    and not exists (select from pawl.outbox_sends e where e.tenant = s.tenant and e.run_id = s.run_id
      and e.sink = s.sink and e.seq < s.seq and e.status = 'pending')
  order by s.next_at, s.seq limit $2
  for update of s skip locked
),
begun as (
  update pawl.outbox_sends s set attempts = s.attempts + 1, next_at = at.now + $3::float8 * interval '1 ms'
  from due d, at
  where s.tenant = d.tenant and s.run_id = d.run_id and s.sink = d.sink and s.seq = d.seq
  returning s.tenant, s.run_id, s.sink, s.seq, s.attempts
)
select b.tenant, b.run_id, b.sink, b.seq::float8 as seq, b.attempts, o.id, o.workflow, o.type, o.subject, o.data,
  o.data is not null as has_data, pawl.ms(o.emitted_at) as emitted_at
from begun b join pawl.outbox o on o.tenant = b.tenant and o.seq = b.seq
order by b.seq`;

/** What comes after an event that is tried again waits as long: nobody need look at it before. */
const SETTLE = `
with at as materialized (select pawl.clock() as now),
given as materialized (
  select * from jsonb_to_recordset($1::jsonb) as g ("tenant" text, "runId" text, "sink" text, "seq" bigint,
    "attempt" int, "status" text, "retryInMs" float8, "error" text)
),
settled as (
  update pawl.outbox_sends s
  set status = g.status, last_error = g.error, sent_at = case when g.status = 'sent' then at.now end,
    next_at = case when g.status = 'pending' then at.now + g."retryInMs" * interval '1 ms' end
  from given g, at
  where s.tenant = g.tenant and s.run_id = g."runId" and s.sink = g.sink and s.seq = g.seq
    and s.status = 'pending' and s.attempts = g.attempt
  returning s.tenant, s.run_id, s.sink, s.seq, s.next_at
)
update pawl.outbox_sends later set next_at = s.next_at
from settled s
where later.tenant = s.tenant and later.run_id = s.run_id and later.sink = s.sink and later.seq > s.seq
  and later.status = 'pending' and later.next_at < s.next_at`;

interface ClaimRow {
  tenant: string;
  run_id: string;
  sink: string;
  seq: number;
  attempts: number;
  id: string;
  workflow: string;
  type: string;
  subject: string | null;
  data: Json;
  has_data: boolean;
  emitted_at: number;
}

export async function routeEvents(db: Db, routes: readonly Route[], limit: number): Promise<number> {
  const rows = routes.map(({ sink, types }) => ({ sink, patterns: types.map(toPattern) }));
  const [routed = []] = await db.execute([{ text: ROUTE, params: [JSON.stringify(rows), limit] }]);
  return routed.length;
}

export async function claimSends(
  db: Db,
  sink: string,
  limit: number,
  leaseMs: number,
): Promise<ClaimedSend[]> {
  const [rows = []] = await db.execute([{ text: CLAIM, params: [sink, limit, leaseMs] }]);
  return (rows as unknown as ClaimRow[]).map((row) => {
    const { tenant, run_id: runId, sink, seq, attempts: attempt, id, workflow, type, subject } = row;
    const data = row.has_data ? row.data : undefined;
    const event = { tenant, runId, id, workflow, type, subject, data, emittedAt: row.emitted_at };
    return { tenant, runId, sink, seq, attempt, event };
  });
}

export async function settleSends(db: Db, outcomes: readonly SendOutcome[]): Promise<void> {
  if (outcomes.length > 0) await db.execute([{ text: SETTLE, params: [JSON.stringify(outcomes)] }]);
}

/** `order.*` as SQL says it; what LIKE would read as a sign of its own is escaped. */
function toPattern(type: string): string {
  const literal = type.replace(/\*$/, "").replace(/[\\%_]/g, "\\$&");
  return type.endsWith("*") ? `${literal}%` : literal;
}
