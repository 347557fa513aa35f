/**
 * I2: every claim raises the branch's turn, the number that everything written for it must carry.
 *
 * As with runs, what is read is read in statements after the one that claims: each has a snapshot of its own. And as with
 * runs, what one claim brings is bounded: each branch is performed in an invocation of its own, with a copy of its run.
 */

import type { Encoded, Json } from "../engine/codec.ts";
import type { ClaimedBranches } from "../engine/ports.ts";
import type { BranchRef, ClaimedBranch, ClaimedRun } from "../engine/run.ts";
import type { KnownVersions } from "../engine/workflow.ts";
import type { Db } from "./db.ts";
import { isForeign, isKnown, toForeign, toParameter } from "./foreign.ts";
import { ENTRY_TUPLE, type EntryTuple, toEntry, toParent } from "./rows.ts";
import { OVERHEAD_BYTES, type Sizes, textBytes } from "./sizes.ts";

const ASKED = `
asked as materialized (
  select distinct tenant, "runId" as run_id, key
  from jsonb_to_recordset($1::jsonb) as a ("tenant" text, "runId" text, "key" text)
)`;

/**
 * What the journal of run `r` takes up to where the steps of `b` were asked for. A whole journal that is small is not looked
 * into.
 */
const journalBytes = (
  claimBytes: string,
) => `case when r.journal_bytes <= ${claimBytes} / 100 then r.journal_bytes else (
    select coalesce(sum(${textBytes("j.output")} + ${textBytes("j.failure")}), 0) from pawl.journal j
    where j.tenant = b.tenant and j.run_id = b.run_id and j.seq <= b.asked_at) end`;

/** Branches of a run that is held by a person, or goes no further, are left alone. */
const claim = (condition: string) => `
with at as materialized (select pawl.clock() as now, $3::jsonb as known), ${ASKED},
due as materialized (
  select b.tenant, b.run_id, b.key, b.asked_at
  from asked a join pawl.branches b on b.tenant = a.tenant and b.run_id = a.run_id and b.key = a.key
  join pawl.runs r on r.tenant = b.tenant and r.id = b.run_id
  where b.wake_at <= (select now from at) and ${isKnown("b.wake_at")} and ${condition}
    and r.status in ('ready', 'running', 'waiting') and r.phase = 'forward'
  order by b.tenant, b.run_id, b.key
  for update of b skip locked
),
weighed as materialized (
  select b.tenant, b.run_id, b.asked_at,
    ${OVERHEAD_BYTES} * (1 + b.asked_at) + ${textBytes("r.input")} + ${journalBytes("$4::bigint")} as weight
  from (select distinct tenant, run_id, asked_at from due) b
  join pawl.runs r on r.tenant = b.tenant and r.id = b.run_id
),
share as materialized (
  select tenant, run_id, key from (
    select d.tenant, d.run_id, d.key, w.weight,
      sum(w.weight) over (order by w.weight, d.tenant, d.run_id, d.key) as total
    from due d join weighed w on w.tenant = d.tenant and w.run_id = d.run_id and w.asked_at = d.asked_at) d
  where total <= $4::bigint or total = weight
)
update pawl.branches b
set turn = b.turn + 1, wake_at = null, wake_up_sent_at = null,
  lease_expires_at = at.now + $2::float8 * interval '1 ms', turn_begun_at = at.now
from share, at
where b.tenant = share.tenant and b.run_id = share.run_id and b.key = share.key
returning b.tenant, b.run_id, b.key, b.turn, b.asked_at, b.attempt, b.spent, pawl.ms(at.now) as now`;

const CLAIM_HEALTHY = claim("b.lost_turns = 0");
const CLAIM_SUSPECT = claim("b.lost_turns > 0");

/**
 * Runs as they were when the steps were asked for: branches of one map share all of it. A journal that is too large does not
 * come along. Only what this very transaction has claimed is read: others may hold other branches.
 */
const LOAD = `
with ${ASKED}
select r.tenant, r.id, r.workflow, r.version, r.turn, r.tags, r.input, r.input_meta, r.parent_id, r.parent_key,
  pawl.ms(r.started_at) as started_at, pawl.ms(r.deadline_at) as deadline_at, b.asked_at, p.partial,
  case when not p.partial then (select json_agg(${ENTRY_TUPLE} order by j.seq) from pawl.journal j
    where j.tenant = r.tenant and j.run_id = r.id and j.seq <= b.asked_at) end as journal
from (
  select distinct b.tenant, b.run_id, b.asked_at from asked a
  join pawl.branches b on b.tenant = a.tenant and b.run_id = a.run_id and b.key = a.key
  where b.lease_expires_at is not null and b.xmin = pg_current_xact_id_if_assigned()::xid
) b
join pawl.runs r on r.tenant = b.tenant and r.id = b.run_id
cross join lateral (
  select b.asked_at > $2::int or (r.journal_bytes > $3::bigint and ${journalBytes("$3::bigint")} > $3::bigint) as partial) p`;

/** What is due and was left: its last turn was lost, or its code is not known. */
const LEFT = `
with ${ASKED}
select b.tenant, b.run_id, b.key, b.lost_turns, r.workflow, r.version,
  r.status in ('ready', 'running', 'waiting') and r.phase = 'forward' as may_go,
  extract(epoch from pawl.clock() - b.wake_at)::float8 * 1000 as overdue_ms
from asked a
join pawl.branches b on b.tenant = a.tenant and b.run_id = a.run_id and b.key = a.key
join pawl.runs r on r.tenant = b.tenant and r.id = b.run_id
where b.wake_at <= pawl.clock()`;

interface LeftRow {
  tenant: string;
  run_id: string;
  key: string;
  lost_turns: number;
  /** False while its run is held by a person, or goes no further. */
  may_go: boolean;
  workflow: string;
  version: number;
  overdue_ms: number;
}

interface ClaimRow {
  tenant: string;
  run_id: string;
  key: string;
  turn: number;
  asked_at: number;
  attempt: number;
  spent: number;
  now: number;
}

interface LoadRow {
  tenant: string;
  id: string;
  workflow: string;
  version: number;
  turn: number;
  tags: string[];
  input: Json;
  input_meta: Json;
  parent_id: string | null;
  parent_key: string | null;
  started_at: number;
  deadline_at: number | null;
  asked_at: number;
  partial: boolean;
  journal: EntryTuple[] | null;
}

/** Leases those of the branches that are due and whose last turn was not lost. */
export function claimBranches(
  db: Db,
  sizes: Sizes,
  refs: readonly BranchRef[],
  leaseMs: number,
  known?: KnownVersions,
): Promise<ClaimedBranches> {
  return claimWith(db, sizes, CLAIM_HEALTHY, refs, leaseMs, known);
}

/** Leases a branch whose last turn was lost, if it is due. */
export function claimSuspectBranch(
  db: Db,
  sizes: Sizes,
  ref: BranchRef,
  leaseMs: number,
): Promise<ClaimedBranches> {
  return claimWith(db, sizes, CLAIM_SUSPECT, [ref], leaseMs);
}

async function claimWith(
  db: Db,
  { claimBytes, pageEntries }: Sizes,
  text: string,
  refs: readonly BranchRef[],
  leaseMs: number,
  known?: KnownVersions,
): Promise<ClaimedBranches> {
  const asked = JSON.stringify(refs);
  const [claims, loads, left] = (await db.execute([
    { text, params: [asked, leaseMs, toParameter(known), claimBytes] },
    { text: LOAD, params: [asked, pageEntries, claimBytes] },
    { text: LEFT, params: [asked] },
  ])) as unknown as [ClaimRow[], LoadRow[], LeftRow[]];
  const own = left.filter((row) => !isForeign(row, known));
  const suspects = own.filter((row) => row.lost_turns > 0);
  const rest = text === CLAIM_SUSPECT ? [] : own.filter((row) => row.lost_turns === 0 && row.may_go);
  const now = claims[0]?.now ?? 0;
  const runs = new Map(loads.map((row) => [nameOf(row.tenant, row.id, row.asked_at), toRun(row, now)]));
  return {
    claimed: claims.flatMap((row): ClaimedBranch[] => {
      const run = runs.get(nameOf(row.tenant, row.run_id, row.asked_at));
      return run === undefined ? [] : [toClaimedBranch(row, run)];
    }),
    suspects: among(refs, suspects),
    ...(known === undefined ? {} : { foreign: left.flatMap((row) => toForeign(row, known)) }),
    ...(rest.length === 0 ? {} : { rest: among(refs, rest) }),
  };
}

/** Those that have a row, in the order in which they were asked for. */
function among(refs: readonly BranchRef[], rows: readonly LeftRow[]): BranchRef[] {
  return refs.filter(({ tenant, runId, key }) =>
    rows.some((row) => row.tenant === tenant && row.run_id === runId && row.key === key),
  );
}

function nameOf(...parts: readonly unknown[]): string {
  return JSON.stringify(parts);
}

function toClaimedBranch(row: ClaimRow, run: ClaimedRun): ClaimedBranch {
  const { tenant, run_id: runId, key, turn: branchTurn, attempt, spent, asked_at: askedAt } = row;
  return { tenant, runId, key, branchTurn, attempt, spent, askedAt, run };
}

/** Nothing has arrived for a run that stands where one of its steps was asked for. */
function toRun(row: LoadRow, now: number): ClaimedRun {
  const input: Encoded = { json: row.input, meta: row.input_meta };
  return {
    tenant: row.tenant,
    runId: row.id,
    workflow: row.workflow,
    version: row.version,
    turn: row.turn,
    tags: row.tags,
    input,
    now,
    startedAt: row.started_at,
    deadlineAt: row.deadline_at,
    parent: toParent(row.parent_id, row.parent_key),
    journal: (row.journal ?? []).map(toEntry),
    deliveries: 0,
    verdict: null,
    failedCompensations: 0,
    journalBytes: 0,
    partial: row.partial,
    timers: [],
    waits: [],
    branches: [],
    inbox: [],
  };
}
