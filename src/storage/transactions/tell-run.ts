import type { Encoded } from "../../engine/codec.ts";
import type { CloudEvent } from "../../engine/event.ts";
import type { ClaimedBranch } from "../../engine/run.ts";
import { bump } from "../bump.ts";
import { isConflict, sqlStateOf, TransactionAborted, TransactionEnded } from "./errors.ts";
import type { Session } from "./session.ts";

/** What a transaction gave besides what it wrote. */
export interface Given {
  readonly output: Encoded | null;
  readonly events: readonly CloudEvent[];
}

const LOCK = `
select pg_current_xact_id()::text as xid from pawl.runs r where r.tenant = $1 and r.id = $2 for update of r`;

/** How long it took is a span of Postgres' real clock, which no test moves. */
const TELL = `
with taken as (
  delete from pawl.branches b
  where b.tenant = $1 and b.run_id = $2 and b.key = $3 and b.turn = $4 and b.lease_expires_at is not null
  returning b.tenant, b.run_id, b.key, b.attempts, b.begun_at
),
delivered as (
  insert into pawl.deliveries (tenant, run_id, kind, name, outcome, attempt, attempts, took_ms, payload, payload_meta,
    arrived_at, queued_at)
  select t.tenant, t.run_id, 'branch', t.key, 'completed', $5::int, t.attempts,
    floor(extract(epoch from clock_timestamp() - transaction_timestamp()) * 1000), $6::jsonb -> 'json',
    nullif($6::jsonb -> 'meta', 'null'), pawl.clock(), t.begun_at
  from taken t
  returning tenant, run_id
),
emitted as (
  insert into pawl.outbox (tenant, id, run_id, workflow, type, subject, data, data_meta, emitted_at)
  select r.tenant, g.id, r.id, r.workflow, g.type, g.subject, g.data -> 'json', nullif(g.data -> 'meta', 'null'), pawl.clock()
  from taken t join pawl.runs r on r.tenant = t.tenant and r.id = t.run_id
  cross join rows from (jsonb_to_recordset($7::jsonb) as ("id" text, "type" text, "subject" text, "data" jsonb))
    with ordinality as g ("id", "type", "subject", "data", n)
  order by g.n
  on conflict do nothing
),
bumped as (${bump("delivered")})
select key from taken`;

/** False, and the transaction is to be rolled back, when the branch's turn is no longer this one's. */
export async function tellRun(session: Session, branch: ClaimedBranch, given: Given): Promise<boolean> {
  const { tenant, runId, key, branchTurn, attempt } = branch;
  const { output, events } = given;
  try {
    const [run] = await session.query(LOCK, [tenant, runId]);
    if (run === undefined) return false;
    if (run.xid !== session.xid) throw new TransactionEnded(key);
    const encoded = output === null ? null : JSON.stringify(output);
    const params = [tenant, runId, key, branchTurn, attempt, encoded, JSON.stringify(events)];
    return (await session.query(TELL, params)).length > 0;
  } catch (error) {
    if (sqlStateOf(error) !== "25P02") throw error;
    // The body caught what made Postgres give up. Where that would pass, the body is done again.
    throw isConflict(session.lastError) ? session.lastError : new TransactionAborted(key, session.lastError);
  }
}
