/**
 * I4, I5: the run's row is locked before anything is looked for, in a statement of its own, so no turn can park the
 * run without seeing the signal. What is sent twice under one id arrives once.
 */
import type { DueRun, NewSignal, SentSignal } from "../engine/ports.ts";
import type { RunStatus } from "../engine/run.ts";
import { bump } from "./bump.ts";
import type { Db } from "./db.ts";

const LOCK = `
select r.id, r.status from (select distinct "runId" from jsonb_to_recordset($2::jsonb) as g ("runId" text)) g
join pawl.runs r on r.tenant = $1 and r.id = g."runId"
order by r.id
for update of r`;

/** A dead run keeps what arrives: it may be revived. */
const DELIVER = `
with given as materialized (
  select g.* from rows from (jsonb_to_recordset($2::jsonb) as ("runId" text, "name" text, "payload" jsonb, "id" text))
    with ordinality as g ("runId", name, payload, id, n)
),
delivered as (
  insert into pawl.deliveries (tenant, run_id, kind, name, outcome, payload, payload_meta, dedupe_id, arrived_at)
  select r.tenant, r.id, 'signal', g.name, 'completed', g.payload -> 'json', nullif(g.payload -> 'meta', 'null'), g.id,
    pawl.clock()
  from given g join pawl.runs r on r.tenant = $1 and r.id = g."runId"
  where r.status in ('ready', 'running', 'waiting', 'paused', 'dead')
  order by g.n
  on conflict do nothing
  returning tenant, run_id
),
bumped as (${bump("delivered")})
select tenant, id from bumped where due`;

export async function deliverSignals(
  db: Db,
  tenant: string,
  signals: readonly NewSignal[],
): Promise<{ sent: SentSignal[]; due: DueRun[] }> {
  if (signals.length === 0) return { sent: [], due: [] };
  const params = [tenant, JSON.stringify(signals)];
  const [found = [], woken = []] = await db.execute([
    { text: LOCK, params },
    { text: DELIVER, params },
  ]);
  const statuses = new Map(found.map(({ id, status }) => [id as string, status as RunStatus]));
  const sent = signals.map(({ runId }): SentSignal => ({ runId, result: resultOf(statuses.get(runId)) }));
  const due = (woken as { tenant: string; id: string }[]).map((row) => ({
    tenant: row.tenant,
    runId: row.id,
    wakeInMs: 0,
  }));
  return { sent, due };
}

function resultOf(status: RunStatus | undefined): SentSignal["result"] {
  if (status === undefined) return "not_found";
  return status === "completed" || status === "cancelled" || status === "failed" ? status : "accepted";
}
