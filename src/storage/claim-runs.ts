/**
 * I2: every claim raises the turn, the number that everything written for it must carry.
 *
 * Two statements in one round trip. Reading journals in the statement that claims would use its old
 * snapshot: it locks the newest row of a run that another turn has just committed, but would not see the
 * entries of that commit, and a completed step would run again. The second statement has a new snapshot.
 *
 * What one claim brings is bounded (`sizes.ts`): of the runs that are due, the lightest are taken first, as long as there is
 * room. What is too large for any claim is left to `read-journal.ts`.
 */
import type { Encoded, Json } from "../engine/codec.ts";
import type { Claim, ClaimedBatch } from "../engine/ports.ts";
import type { ClaimedRun, RunRef, Verdict } from "../engine/run.ts";
import type { KnownVersions } from "../engine/workflow.ts";
import type { Db, Statement } from "./db.ts";
import { isForeign, isKnown, toForeign, toParameter } from "./foreign.ts";
import {
  BARE_ENTRY_TUPLE,
  type DeliveryTuple,
  deliveryTuple,
  ENTRY_TUPLE,
  type EntryTuple,
  INBOX_LIMIT,
  type TimerTuple,
  toDelivery,
  toEntry,
  toParent,
  toTimer,
  toWait,
  type WaitTuple,
} from "./rows.ts";
import { columnBytes, OVERHEAD_BYTES, type Sizes, textBytes } from "./sizes.ts";

const DELIVERY_BYTES = `${OVERHEAD_BYTES} + ${columnBytes("d.payload")} + ${columnBytes("d.failure")} + pg_column_size(d.attempts)`;

/** About what run `r` brings along. Its inbox brings as much as it may and one delivery more, as large as may be. */
const WEIGHT = `${OVERHEAD_BYTES} + ${textBytes("r.input")}
    + case when a.after > 0 then 0 else r.journal_bytes + ${OVERHEAD_BYTES} * r.steps_done end
    + case when r.deliveries = 0 then 0 else (select least(coalesce(sum(d.bytes), 0), $5::bigint + 1000000) from (
      select ${DELIVERY_BYTES} as bytes from pawl.deliveries d
      where d.tenant = r.tenant and d.run_id = r.id and d.consumed_by is null limit ${INBOX_LIMIT}) d) end`;

/**
 * What is known is what the deployment has code for; the rest is another's to take, until it has been due for too long.
 *
 * It waits for whoever holds a row: a delivery that is about to commit may be why the run is due, and a claim that
 * passed it over would use up the wake-up. Those waits are short (I10), and end to end free of cycles (I11).
 *
 * Only `ready` and `waiting` runs have a `wake_at`. Naming the statuses as well would let the planner, while
 * it believes that few runs are due, read the whole index of due runs instead of these few by their key.
 */
const claim = (condition: string) => `
with at as materialized (select pawl.clock() as now, $3::jsonb as known),
asked as materialized (
  select tenant, "runId" as id, min(coalesce("after", 0)) as after
  from jsonb_to_recordset($1::jsonb) as a ("tenant" text, "runId" text, "after" int) group by 1, 2
),
due as materialized (
  select r.tenant, r.id, ${WEIGHT} as weight from asked a join pawl.runs r on r.tenant = a.tenant and r.id = a.id
  where r.wake_at <= (select now from at) and ${isKnown("r.wake_at")} and ${condition}
  order by r.tenant, r.id
  for update of r
),
share as materialized (
  select tenant, id from (
    select tenant, id, weight, sum(weight) over (order by weight, tenant, id) as total from due) d
  where total <= $4::bigint or total = weight
)
update pawl.runs r
set status = 'running', turn = r.turn + 1, wake_at = null, wake_up_sent_at = null,
  lease_expires_at = at.now + $2::float8 * interval '1 ms', started_at = coalesce(r.started_at, at.now),
  turn_begun_at = at.now
from share, at
where r.tenant = share.tenant and r.id = share.id
returning r.tenant, r.id, r.workflow, r.version, r.turn, r.deliveries, r.tags, r.input, r.input_meta, r.parent_id,
  r.parent_key, r.verdict, r.failed_compensations, r.journal_bytes,
  pawl.ms(at.now) as now, pawl.ms(r.started_at) as started_at, pawl.ms(r.deadline_at) as deadline_at`;

const CLAIM_HEALTHY = claim("r.lost_turns = 0");
const CLAIM_SUSPECT = claim("r.lost_turns > 0");

/**
 * What has arrived for run `r`, at most so much: what the run waits for first, so that a flood of other signals
 * hides nothing from it. Asked for as a value: of a mere "exists" the planner may make a hash over all waits.
 * `before` is what those before it bring: once that is enough, a delivery is only announced.
 */
const INBOX = `select d.*, sum(d.bytes) over (order by d.place, d.id) - d.bytes as before from (
  select d.*, ${DELIVERY_BYTES} as bytes, case when d.kind <> 'signal' then 0
    when (select 1 from pawl.waits w where w.tenant = d.tenant and w.run_id = d.run_id and w.kind = d.kind
      and w.name = d.name limit 1) is null then 2 else 1 end as place
  from pawl.deliveries d
  where d.tenant = r.tenant and d.run_id = r.id and d.consumed_by is null
  order by place, d.id
  limit ${INBOX_LIMIT}) d`;

/** Another turn may hold run `r`: then it is none of this claim's. A row carries the transaction that wrote it. */
const IS_OURS = "r.xmin = pg_current_xact_id_if_assigned()::xid";

/** The whole journal of run `r`; where it is known, its last entry; and of one that is too large nothing. */
const JOURNAL = `case
  when o.ours is not true then null
  when a.after > 0 then (select json_build_array(${BARE_ENTRY_TUPLE}) from pawl.journal j
    where j.tenant = r.tenant and j.run_id = r.id order by j.seq desc limit 1)
  when r.journal_bytes <= $2::bigint then (select json_agg(${ENTRY_TUPLE} order by j.seq) from (
    select * from pawl.journal j where j.tenant = r.tenant and j.run_id = r.id order by j.seq limit $3::int + 1) j)
  end`;

/** What the claimed runs need, and which due runs were left: their last turn was lost, or their code is not known. */
const LOAD = `
select r.tenant, r.id, r.turn, r.workflow, r.version, r.lost_turns, r.lease_expires_at is not null as running,
  extract(epoch from pawl.clock() - r.wake_at)::float8 * 1000 as overdue_ms, ${JOURNAL} as journal,
  (select json_agg(json_build_array(t.key, pawl.ms(t.begun_at), pawl.ms(t.due_at)) order by t.due_at) from pawl.timers t
    where t.tenant = r.tenant and t.run_id = r.id and o.ours) as timers,
  (select json_agg(json_build_array(w.key, w.kind, pawl.ms(w.begun_at), pawl.ms(w.due_at))) from pawl.waits w
    where w.tenant = r.tenant and w.run_id = r.id and o.ours) as waits,
  (select json_agg(json_build_array(b.key, b.lease_expires_at is not null)) from pawl.branches b
    where b.tenant = r.tenant and b.run_id = r.id and o.ours) as branches,
  case when r.deliveries > 0 and o.ours then (
    select json_agg(${deliveryTuple("d.before >= $4::bigint")} order by d.id) from (${INBOX}) d) end as inbox
from (
  select tenant, "runId", min(coalesce("after", 0)) as after
  from jsonb_to_recordset($1::jsonb) as a ("tenant" text, "runId" text, "after" int) group by 1, 2
) a
join pawl.runs r on r.tenant = a.tenant and r.id = a."runId"
cross join lateral (select ${IS_OURS} as ours) o
where r.lease_expires_at is not null or r.wake_at <= pawl.clock()`;

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
  parent_id: string | null;
  parent_key: string | null;
  verdict: Verdict | null;
  failed_compensations: number;
  journal_bytes: number;
}

interface LoadRow {
  tenant: string;
  id: string;
  turn: number;
  workflow: string;
  version: number;
  lost_turns: number;
  running: boolean;
  overdue_ms: number;
  journal: EntryTuple[] | null;
  timers: TimerTuple[] | null;
  waits: WaitTuple[] | null;
  branches: (readonly [key: string, leased: boolean])[] | null;
  inbox: DeliveryTuple[] | null;
}

/** Leases those of the runs that are due and whose last turn was not lost. */
export function claimRuns(
  db: Db,
  sizes: Sizes,
  claims: readonly Claim[],
  leaseMs: number,
  known?: KnownVersions,
): Promise<ClaimedBatch> {
  return claimWith(db, sizes, CLAIM_HEALTHY, claims, leaseMs, known);
}

/** Leases a run whose last turn was lost, if it is due. */
export function claimSuspect(db: Db, sizes: Sizes, ref: RunRef, leaseMs: number): Promise<ClaimedBatch> {
  return claimWith(db, sizes, CLAIM_SUSPECT, [ref], leaseMs);
}

async function claimWith(
  db: Db,
  { claimBytes, pageEntries, inboxBytes }: Sizes,
  text: string,
  refs: readonly Claim[],
  leaseMs: number,
  known?: KnownVersions,
): Promise<ClaimedBatch> {
  const asked = JSON.stringify(refs);
  const statements: Statement[] = [
    { text, params: [asked, leaseMs, toParameter(known), claimBytes, inboxBytes] },
    { text: LOAD, params: [asked, claimBytes, pageEntries, inboxBytes] },
  ];
  const [claims = [], loads = []] = (await db.execute(statements)) as unknown as [ClaimRow[], LoadRow[]];
  const loaded = new Map(loads.map((row) => [`${row.tenant}/${row.id}`, row]));
  const left = leftOf(refs, loaded);
  const foreign = left.flatMap((row) => toForeign({ ...row, run_id: row.id }, known));
  const own = left.filter((row) => !isForeign(row, known));
  const suspects = own.filter((row) => row.lost_turns > 0);
  const rest = text === CLAIM_SUSPECT ? [] : own.filter((row) => row.lost_turns === 0);
  return {
    claimed: claims.map((row) => {
      const load = loaded.get(`${row.tenant}/${row.id}`);
      const entries = load?.journal ?? [];
      const isTooLong = entries.length > pageEntries;
      const partial = isTooLong || row.journal_bytes > claimBytes || knowsJournal(refs, row);
      return toClaimedRun(row, load, isTooLong ? [] : entries, partial);
    }),
    suspects: suspects.map(toRef),
    ...(known === undefined ? {} : { foreign }),
    ...(rest.length === 0 ? {} : { rest: rest.map(toRef) }),
  };
}

/** What is due and was not claimed, in the order in which it was asked for. */
function leftOf(refs: readonly Claim[], loaded: ReadonlyMap<string, LoadRow>): LoadRow[] {
  const names = new Set(refs.map(({ tenant, runId }) => `${tenant}/${runId}`));
  return [...names].flatMap((name) => {
    const row = loaded.get(name);
    return row === undefined || row.running ? [] : [row];
  });
}

/** Everybody who asks for the run knows its journal. */
function knowsJournal(refs: readonly Claim[], { tenant, id }: ClaimRow): boolean {
  const its = refs.filter((ref) => ref.runId === id && ref.tenant === tenant);
  return its.every(({ after = 0 }) => after > 0);
}

function toRef({ tenant, id }: LoadRow): RunRef {
  return { tenant, runId: id };
}

function toClaimedRun(
  row: ClaimRow,
  load: LoadRow | undefined,
  journal: readonly EntryTuple[],
  partial: boolean,
): ClaimedRun {
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
    parent: toParent(row.parent_id, row.parent_key),
    verdict: row.verdict,
    failedCompensations: row.failed_compensations,
    journalBytes: row.journal_bytes,
    journal: journal.map(toEntry),
    partial,
    timers: (load?.timers ?? []).map(toTimer),
    waits: (load?.waits ?? []).map(toWait),
    branches: (load?.branches ?? []).map(([key, leased]) => ({ key, leased })),
    inbox: (load?.inbox ?? []).map(toDelivery),
  };
}
