/**
 * I4: the run's row is locked before anything is looked at, so what is appended either reaches the run while the gate
 * is closed, or is refused: whoever opens the gate locks the same row. All or nothing.
 */
import type { Appended, Mutation, NewMutation } from "../engine/ports.ts";
import type { Phase, RunRef, RunStatus } from "../engine/run.ts";
import { bump, LOCK_RUNS } from "./bump.ts";
import type { Db } from "./db.ts";

/**
 * The gate is open once its end is journaled, from when its signal has arrived, and from when its time is over, by the
 * clock that the turn which gives it up will be compared with. `$7` is how many mutations the caller has checked this
 * one against; a dead run may be revived, and keeps what arrives.
 */
const APPEND = `
with at as materialized (select pawl.clock() as now),
run as (select r.tenant, r.id, r.status, r.phase from pawl.runs r where r.tenant = $1 and r.id = $2),
found as (
  select run.*, run.status in ('ready', 'running', 'waiting', 'paused', 'dead') and run.phase = 'forward' as live,
    (select count(*)::int from pawl.mutations m where m.tenant = $1 and m.run_id = $2) as known,
    exists (select from pawl.journal j where j.tenant = $1 and j.run_id = $2 and j.key = $5
      and j.outcome in ('completed', 'timed_out', 'failed'))
    or exists (select from pawl.deliveries d where d.tenant = $1 and d.run_id = $2 and d.kind = 'signal' and d.name = $5
      and d.consumed_by is null)
    or exists (select from pawl.waits w where w.tenant = $1 and w.run_id = $2 and w.key = $5 and w.due_at <= at.now) as open
  from run cross join at
),
noted as (
  insert into pawl.mutations (tenant, run_id, mutation_key, request, requested_at)
  select f.tenant, f.id, $3, $4::jsonb, at.now from found f cross join at
  where f.live and not f.open and f.known = $7::int
  returning tenant, run_id, mutation_key, request
),
delivered as (
  insert into pawl.deliveries (tenant, run_id, kind, name, outcome, payload, dedupe_id, arrived_at)
  select n.tenant, n.run_id, 'mutation', $6, 'completed', n.request, n.mutation_key, at.now from noted n cross join at
  returning tenant, run_id
),
bumped as (${bump("delivered")})
select f.status, f.phase, f.live, f.open, f.known, exists (select from noted) as noted,
  coalesce((select bool_or(b.due) from bumped b), false) as due
from found f`;

/** A run that was forked has in its journal, and only there, what was appended to the run that it was made from. */
const MUTATIONS = `
select m.mutation_key, m.request from pawl.mutations m where m.tenant = $1 and m.run_id = $2
union all
select null, j.output from pawl.journal j
where j.tenant = $1 and j.run_id = $2 and j.kind = 'mutation' and j.outcome = 'completed'
  and not exists (select from pawl.mutations m where m.tenant = $1 and m.run_id = $2 and m.request = j.output)`;

interface Found {
  status: RunStatus;
  phase: Phase;
  live: boolean;
  open: boolean;
  known: number;
  noted: boolean;
  due: boolean;
}

export async function appendSteps(
  db: Db,
  { tenant, runId }: RunRef,
  { key, gate, name, request, known }: NewMutation,
): Promise<Appended> {
  const [, [found] = []] = (await db.execute([
    { text: LOCK_RUNS, params: [JSON.stringify([{ tenant, runId }])] },
    { text: APPEND, params: [tenant, runId, key, JSON.stringify(request), gate, name, known] },
  ])) as unknown as [unknown, Found[]];
  if (found === undefined) return { result: "not_found", due: [] };
  if (found.noted) return { result: "appended", due: found.due ? [{ tenant, runId, wakeInMs: 0 }] : [] };
  // Checked against less than what was appended: perhaps by the same key, which is then no matter of gates.
  if (found.known !== known) return { result: "outdated", due: [] };
  if (!found.live) return { result: found.phase === "forward" ? found.status : "compensating", due: [] };
  return { result: "gate_open", due: [] };
}

export async function mutations(db: Db, { tenant, runId }: RunRef): Promise<Mutation[]> {
  const [rows = []] = await db.execute([{ text: MUTATIONS, params: [tenant, runId] }]);
  return rows.map(({ mutation_key, request }) => ({ key: mutation_key as string | null, request }));
}
