/**
 * I2: every claim raises the turn, the number that everything written for it must carry.
 *
 * Two statements in one round trip. Reading journals in the statement that claims would use its old
 * snapshot: it locks the newest row of a run that another turn has just committed, but would not see the
 * entries of that commit, and a completed step would run again. The second statement has a new snapshot.
 */
import type { Encoded, Json } from "../engine/codec.ts";
import type { ClaimedBatch } from "../engine/ports.ts";
import type { ClaimedRun, RunRef } from "../engine/run.ts";
import type { Db, Statement } from "./db.ts";
import { ENTRY_TUPLE, type EntryTuple, type TimerTuple, toEntry, toTimer } from "./rows.ts";

/**
 * `skip locked`: a run that somebody is working on is not due, and nobody ever waits for anybody here.
 *
 * Only `ready` and `waiting` runs have a `wake_at`. Naming the statuses as well would let the planner, while
 * it believes that few runs are due, read the whole index of due runs instead of these few by their key.
 */
const claim = (condition: string) => `
with at as materialized (select pawl.clock() as now),
asked as materialized (
  select distinct tenant, id from jsonb_to_recordset($1::jsonb) as a ("tenant" text, "runId" text),
    lateral (select "runId" as id) i
),
due as materialized (
  select r.tenant, r.id from asked a join pawl.runs r on r.tenant = a.tenant and r.id = a.id
  where r.wake_at <= (select now from at) and ${condition}
  order by r.tenant, r.id
  for update of r skip locked
)
update pawl.runs r
set status = 'running', turn = r.turn + 1, wake_at = null, wake_up_sent_at = null,
  lease_expires_at = at.now + $2::float8 * interval '1 ms', started_at = coalesce(r.started_at, at.now)
from due, at
where r.tenant = due.tenant and r.id = due.id
returning r.tenant, r.id, r.workflow, r.version, r.turn, r.deliveries, r.tags, r.input, r.input_meta,
  pawl.ms(at.now) as now, pawl.ms(r.started_at) as started_at, pawl.ms(r.deadline_at) as deadline_at`;

const CLAIM_HEALTHY = claim("r.lost_turns = 0");
const CLAIM_SUSPECT = claim("r.lost_turns > 0");

/** What the claimed runs need, and which due runs were left because their last turn was lost. */
const LOAD = `
select r.tenant, r.id, r.lease_expires_at is not null as running,
  (select json_agg(${ENTRY_TUPLE} order by j.seq) from pawl.journal j
    where j.tenant = r.tenant and j.run_id = r.id and r.lease_expires_at is not null) as journal,
  (select json_agg(json_build_array(t.key, pawl.ms(t.begun_at), pawl.ms(t.due_at)) order by t.due_at) from pawl.timers t
    where t.tenant = r.tenant and t.run_id = r.id and r.lease_expires_at is not null) as timers
from (select distinct tenant, "runId" from jsonb_to_recordset($1::jsonb) as a ("tenant" text, "runId" text)) a
join pawl.runs r on r.tenant = a.tenant and r.id = a."runId"
where r.lease_expires_at is not null or (r.lost_turns > 0 and r.wake_at <= pawl.clock())`;

interface ClaimRow {
  tenant: string;
  id: string;
  workflow: string;
  version: number;
  turn: number;
  deliveries: number;
  tags: string[];
  input: Json;
  input_meta: Json;
  now: number;
  started_at: number;
  deadline_at: number | null;
}

interface LoadRow {
  tenant: string;
  id: string;
  running: boolean;
  journal: EntryTuple[] | null;
  timers: TimerTuple[] | null;
}

/** Leases those of the runs that are due and whose last turn was not lost. */
export function claimRuns(db: Db, refs: readonly RunRef[], leaseMs: number): Promise<ClaimedBatch> {
  return claimWith(db, CLAIM_HEALTHY, refs, leaseMs);
}

/** Leases a run whose last turn was lost, if it is due. */
export function claimSuspect(db: Db, ref: RunRef, leaseMs: number): Promise<ClaimedBatch> {
  return claimWith(db, CLAIM_SUSPECT, [ref], leaseMs);
}

async function claimWith(
  db: Db,
  text: string,
  refs: readonly RunRef[],
  leaseMs: number,
): Promise<ClaimedBatch> {
  const asked = JSON.stringify(refs);
  const statements: Statement[] = [
    { text, params: [asked, leaseMs] },
    { text: LOAD, params: [asked] },
  ];
  const [claims = [], loads = []] = (await db.execute(statements)) as unknown as [ClaimRow[], LoadRow[]];
  const loaded = new Map(loads.map((row) => [`${row.tenant}/${row.id}`, row]));
  return {
    claimed: claims.map((row) => toClaimedRun(row, loaded.get(`${row.tenant}/${row.id}`))),
    suspects: loads.filter((row) => !row.running).map(({ tenant, id }) => ({ tenant, runId: id })),
  };
}

function toClaimedRun(row: ClaimRow, load: LoadRow | undefined): ClaimedRun {
  const input: Encoded = { json: row.input, meta: row.input_meta };
  return {
    tenant: row.tenant,
    runId: row.id,
    workflow: row.workflow,
    version: row.version,
    turn: row.turn,
    deliveries: row.deliveries,
    tags: row.tags,
    input,
    now: row.now,
    startedAt: row.started_at,
    deadlineAt: row.deadline_at,
    journal: (load?.journal ?? []).map(toEntry),
    timers: (load?.timers ?? []).map(toTimer),
  };
}
