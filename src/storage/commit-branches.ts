/**
 * I2: only a branch that is still in the outcome's turn is touched. I4: its run hears of it in the same transaction.
 * I11: runs are locked before their branches, in ascending order.
 */
import type { BranchOutcome } from "../engine/branch.ts";
import type { DueRun } from "../engine/ports.ts";
import { bump, LOCK_RUNS } from "./bump.ts";
import type { Db, Statement } from "./db.ts";

/**
 * The branch goes, and what it gave stands in the inbox of its run. An outcome that finds no branch may have been
 * delivered before, with the answer lost: then its run may still need its wake-up.
 */
const DELIVER = `
with given as materialized (
  select * from jsonb_to_recordset($1::jsonb) as g ("tenant" text, "runId" text, "key" text, "branchTurn" int,
    "outcome" text, "attempt" int, "output" jsonb, "failure" jsonb, "tookMs" float8)
),
taken as (
  delete from pawl.branches b using given g
  where b.tenant = g.tenant and b.run_id = g."runId" and b.key = g.key and b.turn = g."branchTurn"
    and b.lease_expires_at is not null
  returning g.*, b.attempts, b.begun_at
),
delivered as (
  insert into pawl.deliveries (tenant, run_id, kind, name, outcome, attempt, attempts, took_ms, payload, payload_meta,
    failure, arrived_at, queued_at)
  select t.tenant, t."runId", 'branch', t.key, t.outcome, t.attempt, t.attempts, t."tookMs", t.output -> 'json',
    nullif(t.output -> 'meta', 'null'), t.failure, pawl.clock(), t.begun_at
  from taken t
  returning tenant, run_id
),
bumped as (${bump("delivered")})
select tenant, id, null as branch, 0::float8 as wake_in_ms from bumped where due
union
select r.tenant, r.id, null, 0 from given g join pawl.runs r on r.tenant = g.tenant and r.id = g."runId"
where r.wake_at <= pawl.clock() and not exists (
  select from taken t where t.tenant = g.tenant and t."runId" = g."runId" and t.key = g.key)`;

/**
 * The attempt is kept with the branch until its outcome is delivered. Told twice, it is answered twice and kept once.
 * Of a run that only undoes what it did nothing is tried again: the branch goes, and the run goes on without it.
 */
const TRY_AGAIN = `
with at as materialized (select pawl.clock() as now),
given as materialized (
  select * from jsonb_to_recordset($1::jsonb) as g ("tenant" text, "runId" text, "key" text, "branchTurn" int,
    "attempt" int, "failure" jsonb, "tookMs" float8, "retryInMs" float8)
),
told as materialized (
  select b.tenant, b.run_id as id, b.key as branch, b.wake_at
  from given g join pawl.branches b on b.tenant = g.tenant and b.run_id = g."runId" and b.key = g.key
  where b.turn = g."branchTurn" and b.attempt = g.attempt + 1 and b.lease_expires_at is null
),
held as materialized (
  select b.tenant, b.run_id, b.key, g.attempt, g.failure, g."tookMs", g."retryInMs", r.phase
  from given g join pawl.branches b on b.tenant = g.tenant and b.run_id = g."runId" and b.key = g.key
  join pawl.runs r on r.tenant = b.tenant and r.id = b.run_id
  where b.turn = g."branchTurn" and b.lease_expires_at is not null
  order by b.tenant, b.run_id, b.key
  for update of b
),
again as (
  update pawl.branches b
  set attempt = h.attempt + 1, spent = b.spent + 1, lost_turns = 0, lease_expires_at = null,
    attempts = b.attempts || jsonb_build_object('attempt', h.attempt, 'failure', h.failure, 'tookMs', h."tookMs",
      'atMs', pawl.ms(at.now)),
    wake_at = at.now + h."retryInMs" * interval '1 ms',
    wake_up_sent_at = case when h."retryInMs" < 86400000 then at.now end
  from held h, at
  where h.phase = 'forward' and b.tenant = h.tenant and b.run_id = h.run_id and b.key = h.key
  returning b.tenant, b.run_id as id, b.key as branch, b.wake_at
),
gone as (
  delete from pawl.branches b using held h
  where h.phase <> 'forward' and b.tenant = h.tenant and b.run_id = h.run_id and b.key = h.key
  returning b.tenant, b.run_id
),
bumped as (${bump("gone")})
select w.tenant, w.id, w.branch, greatest(0, ceil(extract(epoch from w.wake_at - at.now) * 1000))::float8 as wake_in_ms
from (
  select * from again union all select * from told
  union all select tenant, id, null, (select now from at) from bumped where due
) w cross join at`;

interface DueRow {
  tenant: string;
  id: string;
  branch: string | null;
  wake_in_ms: number;
}

export async function commitBranches(db: Db, outcomes: readonly BranchOutcome[]): Promise<DueRun[]> {
  const told = outcomes.filter(({ outcome }) => outcome === "delivered");
  const again = outcomes.filter(({ outcome }) => outcome === "retrying");
  const over = outcomes.filter(({ outcome }) => outcome !== "delivered" && outcome !== "retrying");
  const statements: Statement[] = [];
  if (over.length + again.length > 0)
    statements.push({ text: LOCK_RUNS, params: [JSON.stringify([...over, ...again])] });
  if (over.length > 0) statements.push({ text: DELIVER, params: [JSON.stringify(over)] });
  if (again.length > 0) statements.push({ text: TRY_AGAIN, params: [JSON.stringify(again)] });
  const rows = statements.length === 0 ? [] : (await db.execute(statements)).flat();
  const due = (rows as unknown as DueRow[]).filter(({ wake_in_ms }) => wake_in_ms !== undefined);
  return [
    ...due.map(({ tenant, id, branch, wake_in_ms }) => ({
      tenant,
      runId: id,
      wakeInMs: wake_in_ms,
      branch: branch ?? undefined,
    })),
    ...told.map(({ tenant, runId }) => ({ tenant, runId, wakeInMs: 0 })),
  ];
}
