/** Reads the runs that can still go on, with all that replay is handed of them. */
import type pg from "pg";
import type { Json } from "../../src/engine/codec.ts";
import type { ClaimedRun, RunStatus, Verdict } from "../../src/engine/run.ts";
import {
  ENTRY_TUPLE,
  type EntryTuple,
  type TimerTuple,
  toEntry,
  toParent,
  toTimer,
  toWait,
  type WaitTuple,
} from "../../src/storage/rows.ts";

/** A run as its next turn would find it. */
export interface LiveRun {
  readonly status: RunStatus;
  readonly run: ClaimedRun;
  /** Steps that were begun apart from the turn, and whose outcome the journal does not hold. */
  readonly apart: readonly string[];
}

/** Journals may be long: so many runs are read at once. */
const PAGE_SIZE = 20;

const PAGE = `
select r.tenant, r.id, r.workflow, r.version, r.status, r.turn, r.deliveries, r.tags, r.input, r.input_meta, r.parent_id,
  r.parent_key, r.verdict, r.failed_compensations, pawl.ms(pawl.clock()) as now,
  pawl.ms(coalesce(r.started_at, r.created_at)) as started_at, pawl.ms(r.deadline_at) as deadline_at,
  (select json_agg(${ENTRY_TUPLE} order by j.seq) from pawl.journal j
    where j.tenant = r.tenant and j.run_id = r.id) as journal,
  (select json_agg(json_build_array(t.key, pawl.ms(t.begun_at), pawl.ms(t.due_at)) order by t.due_at)
    from pawl.timers t where t.tenant = r.tenant and t.run_id = r.id) as timers,
  (select json_agg(json_build_array(w.key, w.kind, pawl.ms(w.begun_at), pawl.ms(w.due_at)))
    from pawl.waits w where w.tenant = r.tenant and w.run_id = r.id) as waits,
  (select json_agg(a.key order by a.key) from (
    select b.key from pawl.branches b where b.tenant = r.tenant and b.run_id = r.id
    union select d.name from pawl.deliveries d
      where d.tenant = r.tenant and d.run_id = r.id and d.kind = 'branch' and d.consumed_by is null
  ) a) as apart
from (
  select * from pawl.runs
  where (tenant, id) > ($1, $2) and status in ('ready', 'running', 'waiting', 'paused', 'dead')
  order by tenant, id limit ${PAGE_SIZE}
) r
order by r.tenant, r.id`;

interface PageRow {
  tenant: string;
  id: string;
  workflow: string;
  version: number;
  status: RunStatus;
  turn: number;
  deliveries: number;
  tags: string[];
  input: Json;
  input_meta: Json;
  parent_id: string | null;
  parent_key: string | null;
  verdict: Verdict | null;
  failed_compensations: number;
  now: number;
  started_at: number;
  deadline_at: number | null;
  journal: EntryTuple[] | null;
  timers: TimerTuple[] | null;
  waits: WaitTuple[] | null;
  apart: string[] | null;
}

/** Page by page, each as of one instant: a run's journal and what it waits for fit together. */
export async function* readLiveRuns(client: pg.Client): AsyncGenerator<readonly LiveRun[]> {
  let last: readonly [tenant: string, id: string] = ["", ""];
  for (;;) {
    const rows = await readOnly(client, PAGE, last);
    const end = rows.at(-1);
    if (end === undefined) return;
    yield rows.map(toLiveRun);
    last = [end.tenant, end.id];
  }
}

/** Postgres itself refuses every write in it. */
export async function readOnly(
  client: pg.Client,
  text: string,
  params: readonly unknown[],
): Promise<PageRow[]> {
  await client.query("begin transaction isolation level repeatable read, read only");
  try {
    return (await client.query<PageRow>(text, [...params])).rows;
  } finally {
    await client.query("rollback");
  }
}

function toLiveRun(row: PageRow): LiveRun {
  const run: ClaimedRun = {
    tenant: row.tenant,
    runId: row.id,
    workflow: row.workflow,
    version: row.version,
    turn: row.turn,
    input: { json: row.input, meta: row.input_meta },
    tags: row.tags,
    now: row.now,
    startedAt: row.started_at,
    deadlineAt: row.deadline_at,
    deliveries: row.deliveries,
    parent: toParent(row.parent_id, row.parent_key),
    verdict: row.verdict,
    failedCompensations: row.failed_compensations,
    partial: false,
    journalBytes: 0,
    journal: (row.journal ?? []).map(toEntry),
    timers: (row.timers ?? []).map(toTimer),
    waits: (row.waits ?? []).map(toWait),
    branches: [],
    inbox: [],
  };
  return { status: row.status, run, apart: row.apart ?? [] };
}
