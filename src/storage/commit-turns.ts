/**
 * I1: a second entry for the same key and attempt violates a unique index, and the commit with it.
 * I2: only a run that is still in the decision's turn is updated, and everything else follows from that row.
 * I4: a fact delivered since the claim leaves the run ready instead of parking it.
 *
 * A run has a lease if and only if it is running; saying it so keeps the planner on the primary key.
 *
 * I11: it locks its runs in ascending order before it changes any.
 *
 * One statement: the CTEs below `committed` use the rows it returns and read no table, so their older
 * snapshot cannot matter.
 */
import type { Decision } from "../engine/decide.ts";
import type { CommittedTurn } from "../engine/ports.ts";
import { isFinal, type RunStatus } from "../engine/run.ts";
import type { Db } from "./db.ts";

const COMMIT = `
with at as materialized (select pawl.clock() as now),
decided as materialized (
  select * from jsonb_to_recordset($1::jsonb) as d (
    "tenant" text, "runId" text, "turn" int, "status" text, "final" boolean, "wakeAt" float8, "wakeInMs" float8,
    "deliveries" int, "stepsDone" int, "currentStep" text, "output" jsonb, "failure" jsonb,
    "entries" jsonb, "timers" jsonb, "endedTimers" jsonb)
),
held as materialized (
  select d.* from decided d join pawl.runs r on r.tenant = d.tenant and r.id = d."runId"
  where r.turn = d.turn and r.lease_expires_at is not null
  order by r.tenant, r.id
  for update of r
),
committed as (
  update pawl.runs r
  set status = case when d.final or r.deliveries = d.deliveries then d.status else 'ready' end,
    wake_at = case when d.final then null when r.deliveries = d.deliveries then least(w.at, r.deadline_at) else least(at.now, r.deadline_at) end,
    wake_up_sent_at = case
      when not d.final and (r.deliveries <> d.deliveries or least(w.at, r.deadline_at) < at.now + interval '1 day')
      then at.now end,
    lease_expires_at = null,
    lost_turns = 0,
    finished_at = case when d.final then at.now end,
    current_step = coalesce(d."currentStep", r.current_step),
    steps_done = r.steps_done + d."stepsDone",
    output = d.output -> 'json',
    output_meta = nullif(d.output -> 'meta', 'null'),
    failure = d.failure
  from held d cross join at,
    lateral (select least(at.now + d."wakeInMs" * interval '1 ms', to_timestamp(d."wakeAt" / 1000)) as at) w
  where r.tenant = d.tenant and r.id = d."runId"
  returning r.tenant, r.id, r.status, r.wake_at
),
journaled as (
  insert into pawl.journal (tenant, run_id, seq, kind, key, outcome, attempt, turn, started_at, recorded_at,
    retry_at, failure, output, output_meta)
  select c.tenant, c.id, e.seq, e.kind, e.key, e.outcome, e.attempt, d.turn,
    at.now - e."tookMs" * interval '1 ms', at.now, at.now + e."retryInMs" * interval '1 ms',
    e.failure, e.output -> 'json', nullif(e.output -> 'meta', 'null')
  from committed c join held d on d.tenant = c.tenant and d."runId" = c.id cross join at
  cross join lateral jsonb_to_recordset(d.entries) as e (
    "seq" int, "kind" text, "key" text, "outcome" text, "attempt" int, "tookMs" float8,
    "retryInMs" float8, "failure" jsonb, "output" jsonb)
),
begun as (
  insert into pawl.timers (tenant, run_id, key, begun_at, due_at, turn)
  select c.tenant, c.id, t.key, at.now,
    coalesce(to_timestamp((t.due ->> 'at')::float8 / 1000), at.now + (t.due ->> 'inMs')::float8 * interval '1 ms'), d.turn
  from committed c join held d on d.tenant = c.tenant and d."runId" = c.id cross join at
  cross join lateral jsonb_to_recordset(d.timers) as t ("key" text, "due" jsonb)
),
ended as (
  delete from pawl.timers t
  using committed c join held d on d.tenant = c.tenant and d."runId" = c.id
    cross join lateral jsonb_array_elements_text(d."endedTimers") as k (key)
  where t.tenant = c.tenant and t.run_id = c.id and t.key = k.key
)
select c.tenant, c.id, c.status,
  greatest(0, ceil(extract(epoch from c.wake_at - at.now) * 1000))::float8 as wake_in_ms
from committed c cross join at`;

/**
 * Turns that ended already, with this very decision: a reclaim, a cancel or a revive would have raised the
 * turn. The answer to an earlier try of the commit was lost.
 */
const READ_BACK = `
select r.tenant, r.id, r.status,
  greatest(0, ceil(extract(epoch from r.wake_at - pawl.clock()) * 1000))::float8 as wake_in_ms
from jsonb_to_recordset($1::jsonb) as d ("tenant" text, "runId" text, "turn" int)
join pawl.runs r on r.tenant = d.tenant and r.id = d."runId" and r.turn = d.turn
where r.status <> 'running'`;

interface CommittedRow {
  tenant: string;
  id: string;
  status: RunStatus;
  wake_in_ms: number | null;
}

/** Gives the turns whose decision is durable; the others had moved on, and nothing was written for them. */
export async function commitTurns(db: Db, decisions: readonly Decision[]): Promise<CommittedTurn[]> {
  if (decisions.length === 0) return [];
  const [rows = []] = await db.execute([
    { text: COMMIT, params: [JSON.stringify(decisions.map(toParameter))] },
  ]);
  const committed = rows as unknown as CommittedRow[];
  const missing = decisions.filter(
    (d) => !committed.some((row) => row.id === d.runId && row.tenant === d.tenant),
  );
  if (missing.length === 0) return committed.map(toCommitted);
  const refs = missing.map(({ tenant, runId, turn }) => ({ tenant, runId, turn }));
  const [before = []] = await db.execute([{ text: READ_BACK, params: [JSON.stringify(refs)] }]);
  return [...committed, ...(before as unknown as CommittedRow[])].map(toCommitted);
}

function toParameter(decision: Decision) {
  const stepsDone = decision.entries.filter((e) => e.kind === "step" && e.outcome === "completed").length;
  return { ...decision, final: isFinal(decision.status), stepsDone };
}

function toCommitted({ tenant, id, status, wake_in_ms }: CommittedRow): CommittedTurn {
  return { tenant, runId: id, status, wakeInMs: isFinal(status) ? null : wake_in_ms };
}
