/**
 * I4, I5: the run is locked first, in a statement of its own; the hook is marked as used in the statement that
 * delivers. Of many who post at once, each waits for the lock and one finds it unused.
 */
import type { Encoded } from "../engine/codec.ts";
import { hookSignal } from "../engine/plan/steps.ts";
import type { ReceivedHook } from "../engine/ports.ts";
import { bump } from "./bump.ts";
import type { Db } from "./db.ts";

const LOCK = `
select r.id from pawl.hooks h join pawl.runs r on r.tenant = h.tenant and r.id = h.run_id
where h.digest = $1
for update of r`;

/** A dead run keeps what arrives: it may be revived. */
const OPEN = "r.status in ('ready', 'running', 'waiting', 'paused', 'dead')";

const RECEIVE = `
with used as (
  update pawl.hooks h set used_at = pawl.clock()
  from pawl.runs r
  where h.digest = $1 and h.used_at is null and h.expires_at > pawl.clock()
    and r.tenant = h.tenant and r.id = h.run_id and ${OPEN}
  returning h.tenant, h.run_id, h.key
),
delivered as (
  insert into pawl.deliveries (tenant, run_id, kind, name, outcome, payload, payload_meta, arrived_at)
  select u.tenant, u.run_id, 'signal', u.key || $3, 'completed', $2::jsonb -> 'json', nullif($2::jsonb -> 'meta', 'null'),
    pawl.clock()
  from used u
  returning tenant, run_id
),
bumped as (${bump("delivered")})
select tenant, id, due from bumped`;

/** Why nothing was received. */
const STATE = `
select h.used_at is not null as used from pawl.hooks h
join pawl.runs r on r.tenant = h.tenant and r.id = h.run_id
where h.digest = $1 and ${OPEN}`;

export async function receiveHook(db: Db, digest: string, payload: Encoded): Promise<ReceivedHook> {
  const [, received = [], states = []] = await db.execute([
    { text: LOCK, params: [digest] },
    { text: RECEIVE, params: [digest, JSON.stringify(payload), hookSignal("")] },
    { text: STATE, params: [digest] },
  ]);
  const [row] = received as { tenant: string; id: string; due: boolean }[];
  if (row !== undefined) {
    const due = row.due ? [{ tenant: row.tenant, runId: row.id, wakeInMs: 0 }] : [];
    return { result: "received", due };
  }
  const [state] = states as { used: boolean }[];
  return { result: state === undefined ? "not_found" : state.used ? "used" : "expired", due: [] };
}
