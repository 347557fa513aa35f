/**
 * I1: a second entry for the same key and attempt violates a unique index, and the commit with it.
 * I2: only a run that is still in the decision's turn is updated, and everything else follows from that row.
 * I4: a fact delivered since the claim leaves the run ready instead of parking it.
 * I5: what the turn took from the inbox leaves it in the transaction that journals it.
 *
 * A run has a lease if and only if it is running; saying it so keeps the planner on the primary key.
 *
 * I11: it locks its runs, and the parents that are to be told of an end, in ascending order before it changes any.
 *
 * The CTEs below `committed` use the rows it returns and of tables only deliveries, which the claim has seen, so their
 * older snapshot cannot matter. What else there is to write follows in statements of their own (`commit/`), one
 * transaction and one round trip.
 */
import type { Decision } from "../engine/decide.ts";
import type { EntryKind, NewEntry } from "../engine/journal.ts";
import type { Committed, CommittedTurn, DueRun } from "../engine/ports.ts";
import { isFinal, type RunStatus } from "../engine/run.ts";
import { endBranches, forkBranches } from "./commit/branches.ts";
import { moveOn, startChildren } from "./commit/children.ts";
import { consumeDeliveries } from "./commit/deliveries.ts";
import { clearUp, tellParents } from "./commit/endings.ts";
import { addEvents } from "./commit/events.ts";
import type { Part } from "./commit/part.ts";
import { addHooks, changeGroups, changeState } from "./commit/shared.ts";
import { beginWaits, endWaits } from "./commit/waits.ts";
import type { Db } from "./db.ts";
import { INBOX_LIMIT } from "./rows.ts";

/** The order matters: what is taken leaves before the waits look for what has arrived; the parent hears last. */
const PARTS: readonly Part[] = [
  consumeDeliveries,
  endWaits,
  beginWaits,
  endBranches,
  forkBranches,
  startChildren,
  moveOn,
  changeGroups,
  addHooks,
  changeState,
  addEvents,
  tellParents,
  clearUp,
];

const OWN_RUNS = `
held as materialized (
  select d.* from decided d join pawl.runs r on r.tenant = d.tenant and r.id = d."runId"
  where r.turn = d.turn and r.lease_expires_at is not null
  order by r.tenant, r.id
  for update of r
)`;

const RUNS_AND_PARENTS = `
asked as materialized (
  select tenant, "runId" as id from decided
  union select tenant, "parentId" from decided where final and "parentId" is not null
),
locked as materialized (
  select r.tenant, r.id, r.turn, r.lease_expires_at from asked a join pawl.runs r on r.tenant = a.tenant and r.id = a.id
  order by r.tenant, r.id
  for update of r
),
held as materialized (
  select d.* from decided d join locked r on r.tenant = d.tenant and r.id = d."runId"
  where r.turn = d.turn and r.lease_expires_at is not null
)`;

/** When the run is due next: never while a person holds it, at once when more has been delivered (I4). */
const DUE = `case when not d.final and r.paused_at is null then
      least(case when r.deliveries = d.deliveries then w.at else at.now end,
        case when d.verdict is null then r.deadline_at end) end`;

const commit = (held: string) => `
with at as materialized (select pawl.clock() as now),
decided as materialized (
  select * from jsonb_to_recordset($1::jsonb) as d (
    "tenant" text, "runId" text, "turn" int, "status" text, "final" boolean, "wakeAt" float8, "wakeInMs" float8,
    "deliveries" int, "stepsDone" int, "currentStep" text, "output" jsonb, "failure" jsonb, "verdict" jsonb,
    "failedCompensations" int, "parentId" text, "goesOn" boolean, "entries" jsonb, "entryBytes" int, "timers" jsonb, "endedTimers" jsonb)
),
${held},
committed as (
  update pawl.runs r
  set status = case when d.final then d.status when r.paused_at is not null then 'paused'
      when r.deliveries = d.deliveries then d.status else 'ready' end,
    wake_at = ${DUE},
    wake_up_sent_at = case when ${DUE} < at.now + interval '1 day' then at.now end,
    lease_expires_at = null,
    lost_turns = 0,
    paused_at = case when not d.final or d."goesOn" then r.paused_at end,
    finished_at = case when d.final then at.now end,
    current_step = coalesce(d."currentStep", r.current_step),
    steps_done = r.steps_done + d."stepsDone",
    output = d.output -> 'json',
    output_meta = nullif(d.output -> 'meta', 'null'),
    failure = d.failure,
    phase = case when d.verdict is null then 'forward' else 'compensating' end,
    verdict = d.verdict,
    failed_compensations = d."failedCompensations",
    journal_bytes = r.journal_bytes + d."entryBytes"
  from held d cross join at,
    lateral (select least(at.now + d."wakeInMs" * interval '1 ms', to_timestamp(d."wakeAt" / 1000)) as at) w
  where r.tenant = d.tenant and r.id = d."runId"
  returning r.tenant, r.id, r.turn, r.status, r.wake_at
),
journaled as (
  insert into pawl.journal (tenant, run_id, seq, kind, key, outcome, attempt, turn, started_at, recorded_at,
    retry_at, failure, output, output_meta, queued_at)
  select c.tenant, c.id, e.seq, e.kind, e.key, e.outcome, e.attempt, d.turn,
    ended.at - e."tookMs" * interval '1 ms', ended.at, ended.at + e."retryInMs" * interval '1 ms',
    e.failure, e.output -> 'json', nullif(e.output -> 'meta', 'null'), queued.at
  from committed c join held d on d.tenant = c.tenant and d."runId" = c.id cross join at
  cross join lateral jsonb_to_recordset(d.entries) as e (
    "seq" int, "kind" text, "key" text, "outcome" text, "attempt" int, "tookMs" float8,
    "agoMs" float8, "deliveryId" bigint, "retryInMs" float8, "failure" jsonb, "output" jsonb)
  left join lateral (select b.queued_at as at from pawl.deliveries b
    where b.tenant = c.tenant and b.run_id = c.id and b.id = e."deliveryId") queued on true
  cross join lateral (select at.now - coalesce(e."agoMs", 0) * interval '1 ms' as at) ended
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
select c.tenant, c.id, c.status, noted.refs,
  case when c.wake_at is not null then greatest(0, ceil(extract(epoch from c.wake_at - at.now) * 1000))::float8 end as wake_in_ms
from (select set_config('pawl.committed',
  (select coalesce(jsonb_agg(jsonb_build_array(tenant, id, turn)), '[]')::text from committed), true) as refs) noted
left join committed c on true cross join at`;

const COMMIT = commit(OWN_RUNS);
const COMMIT_WITH_PARENTS = commit(RUNS_AND_PARENTS);

/**
 * Turns that ended already, with this very decision: a reclaim, a cancel or a revive would have raised the
 * turn. The answer to an earlier try of the commit was lost.
 */
const READ_BACK = `
select r.tenant, r.id, r.status, case when r.wake_at is not null then
  greatest(0, ceil(extract(epoch from r.wake_at - pawl.clock()) * 1000))::float8 end as wake_in_ms
from jsonb_to_recordset($1::jsonb) as d ("tenant" text, "runId" text, "turn" int)
join pawl.runs r on r.tenant = d.tenant and r.id = d."runId" and r.turn = d.turn
where r.status <> 'running'`;

interface CommittedRow {
  tenant: string;
  id: string | null;
  status: RunStatus;
  wake_in_ms: number | null;
}

interface DueRow {
  tenant: string;
  id?: string;
  branch: string | null;
  wake_in_ms: number;
}

/** Gives the turns whose decision is durable; the others had moved on, and nothing was written for them. */
export async function commitTurns(db: Db, decisions: readonly Decision[]): Promise<Committed> {
  if (decisions.length === 0) return { turns: [], due: [] };
  const parents = decisions.some((d) => isFinal(d.status) && d.parent?.key != null);
  const parts = PARTS.flatMap(({ rowsOf, text }) => {
    const rows = decisions.flatMap((decision) => rowsOf(decision));
    return rows.length === 0 ? [] : [{ text, params: [JSON.stringify(rows)] }];
  });
  const [rows = [], ...others] = await db.execute([
    { text: parents ? COMMIT_WITH_PARENTS : COMMIT, params: [JSON.stringify(decisions.map(toParameter))] },
    ...parts,
  ]);
  const committed = (rows as unknown as CommittedRow[]).filter(({ id }) => id !== null);
  const missing = decisions.filter(
    (d) => !committed.some((row) => row.id === d.runId && row.tenant === d.tenant),
  );
  if (missing.length > 0) {
    const refs = missing.map(({ tenant, runId, turn }) => ({ tenant, runId, turn }));
    const [before = []] = await db.execute([{ text: READ_BACK, params: [JSON.stringify(refs)] }]);
    committed.push(...(before as unknown as CommittedRow[]));
  }
  const more = (others.flat() as unknown as DueRow[]).filter(({ wake_in_ms }) => wake_in_ms != null);
  return { turns: committed.map(toCommitted), due: [...committed.flatMap(toDue), ...more.flatMap(toDue)] };
}

function toParameter(decision: Decision) {
  const { waits, endedWaits, branches, endedBranches, consumed, effects, successor, parent, ...rest } =
    decision;
  const stepsDone = decision.entries.filter((e) => isWork(e.kind) && e.outcome === "completed").length;
  const parentId = parent?.key == null ? null : parent.runId;
  // A claim that brought as much as it may can have left some behind: the run stays ready for the rest.
  const deliveries = consumed.length < INBOX_LIMIT ? decision.deliveries : -1;
  const goesOn = successor !== null;
  const entries = decision.entries.map((entry) => ({ ...entry, deliveryId: branchOf(decision, entry) }));
  return { ...rest, entries, deliveries, final: isFinal(decision.status), stepsDone, parentId, goesOn };
}

/** The delivery that brought what a branch did: it says since when the step could have been performed. */
function branchOf({ consumed }: Decision, { key, agoMs }: NewEntry): number | undefined {
  return agoMs === undefined ? undefined : consumed.find((delivery) => delivery.key === key)?.id;
}

function isWork(kind: EntryKind): boolean {
  return kind === "step" || kind === "transaction";
}

function toCommitted({ tenant, id, status }: CommittedRow): CommittedTurn {
  return { tenant, runId: id ?? "", status };
}

function toDue(row: CommittedRow | DueRow): DueRun[] {
  const { tenant, id, wake_in_ms } = row;
  if (id == null || wake_in_ms === null || ("status" in row && isFinal(row.status))) return [];
  const branch = "branch" in row && row.branch !== null ? { branch: row.branch } : {};
  return [{ tenant, runId: id, wakeInMs: wake_in_ms, ...branch }];
}
