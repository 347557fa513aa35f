/** I2: what a share came to is committed only while its turn is the bulk action's. */
import type { Bulk, BulkFailure, BulkSource, Bulks, BulkVerb, ClaimedBulk } from "../engine/bulk.ts";
import type { RunFilter } from "../engine/reads.ts";
import type { Db } from "./db.ts";

/** How many failures are kept. */
const FAILURES = 10;

const COLUMNS = `b.tenant, b.id, b.verb, b.source, b.asked, b.compensate, b.rate, b.note, b.done_by, b.status, b.matching,
  b.matching_exact, b.done, b.skipped, b.failed, b.failures, pawl.ms(b.created_at) as created_at,
  pawl.ms(b.updated_at) as updated_at, pawl.ms(b.finished_at) as finished_at`;

const START = `
with at as materialized (select pawl.clock() as now)
insert into pawl.bulk_actions (tenant, id, verb, source, asked, filter, ids, compensate, rate, note, done_by,
  idempotency_key, matching, matching_exact, next_at, created_at, updated_at)
select $1, $2, $3, $4, $5::jsonb, $6::jsonb, $7::jsonb, $8, $9, $10, $11, $12, $13, $14, at.now, at.now, at.now from at
on conflict do nothing`;

/** In a statement of its own: a key that another start has just taken is seen by no snapshot from before. */
const FIND_STARTED = `
select ${COLUMNS} from pawl.bulk_actions b
where b.tenant = $1 and case when $3::text is null then b.id = $2 else b.idempotency_key = $3 end`;

const FIND = `select ${COLUMNS} from pawl.bulk_actions b where b.tenant = $1 and b.id = $2`;

const LIST = `
select ${COLUMNS} from pawl.bulk_actions b
where b.tenant = $1 and ($2::text is null or b.id < $2) order by b.id desc limit $3`;

const ABORT = `
update pawl.bulk_actions b set status = 'aborted', next_at = null, updated_at = pawl.clock(), finished_at = pawl.clock()
where b.tenant = $1 and b.id = $2 and b.status = 'running'`;

const CLAIM = `
with due as materialized (
  select b.tenant, b.id from pawl.bulk_actions b
  where b.status = 'running' and b.next_at <= pawl.clock()
  order by b.next_at limit $1
  for update skip locked
)
update pawl.bulk_actions b set turn = b.turn + 1, next_at = pawl.clock() + $2::float8 * interval '1 ms'
from due where b.tenant = due.tenant and b.id = due.id
returning b.tenant, b.id, b.verb, b.source, b.filter, b.ids, b.compensate, b.rate, b.done_by, b.turn, b.cursor`;

/** A share whose bulk action was aborted meanwhile is still counted, and noted with the runs it moved. */
const ADVANCE = `
with at as materialized (select pawl.clock() as now),
advanced as (
  update pawl.bulk_actions b set cursor = $4, done = b.done + jsonb_array_length($5::jsonb), skipped = b.skipped + $6,
    failed = b.failed + jsonb_array_length($7::jsonb),
    failures = jsonb_path_query_array(b.failures || $7::jsonb, '$[0 to ${FAILURES - 1}]'),
    status = case when b.status = 'running' and $8::float8 is null then 'done' else b.status end,
    next_at = case when b.status = 'running' then at.now + $8::float8 * interval '1 ms' end,
    finished_at = coalesce(b.finished_at, case when $8::float8 is null then at.now end), updated_at = at.now
  from at
  where b.tenant = $1 and b.id = $2 and b.turn = $3
  returning b.tenant, b.id, b.verb, b.done_by, b.note
),
noted as (
  insert into pawl.actions (tenant, run_id, verb, done_by, done_at, new_run_id, bulk_id, note)
  select a.tenant, d."runId", a.verb, a.done_by, at.now, d."newRunId", a.id, a.note
  from advanced a cross join at cross join lateral jsonb_to_recordset($5::jsonb) as d ("runId" text, "newRunId" text)
)
select id from advanced`;

interface BulkRow {
  readonly id: string;
  readonly verb: BulkVerb;
  readonly source: BulkSource["kind"];
  readonly asked: Readonly<Record<string, unknown>> | null;
  readonly compensate: boolean;
  readonly rate: number;
  readonly note: string | null;
  readonly done_by: string;
  readonly status: Bulk["status"];
  readonly matching: number;
  readonly matching_exact: boolean;
  readonly done: number;
  readonly skipped: number;
  readonly failed: number;
  readonly failures: readonly BulkFailure[];
  readonly created_at: number;
  readonly updated_at: number;
  readonly finished_at: number | null;
}

interface ClaimRow extends Pick<BulkRow, "id" | "verb" | "source" | "compensate" | "rate" | "done_by"> {
  readonly tenant: string;
  readonly filter: RunFilter | null;
  readonly ids: readonly string[] | null;
  readonly turn: number;
  readonly cursor: string | null;
}

export function createBulks(db: Db): Bulks {
  const one = (rows: readonly object[] = []): Bulk | null => {
    const [row] = rows as BulkRow[];
    return row === undefined ? null : toBulk(row);
  };
  return {
    async start(tenant, bulk) {
      const { id, verb, source, asked, compensate, rate, note, by, idempotencyKey, matching } = bulk;
      const [filter, ids] = source.kind === "ids" ? [null, source.ids] : [source.filter, null];
      const what = [tenant, id, verb, source.kind, toJson(asked), toJson(filter), toJson(ids)];
      const how = [compensate, rate, note, by, idempotencyKey, matching.count, matching.exact];
      const [, rows] = await db.execute([
        { text: START, params: [...what, ...how] },
        { text: FIND_STARTED, params: [tenant, id, idempotencyKey] },
      ]);
      const started = one(rows);
      if (started === null) throw new Error("starting a bulk action gave none");
      return { bulk: started, created: started.id === id };
    },
    async find(tenant, id) {
      const [rows] = await db.execute([{ text: FIND, params: [tenant, id] }]);
      return one(rows);
    },
    async list(tenant, limit, before) {
      const [rows = []] = await db.execute([{ text: LIST, params: [tenant, before, limit] }]);
      return (rows as unknown as BulkRow[]).map(toBulk);
    },
    async abort(tenant, id) {
      const params = [tenant, id];
      const [, rows] = await db.execute([
        { text: ABORT, params },
        { text: FIND, params },
      ]);
      return one(rows);
    },
    async claim(limit, leaseMs) {
      const [rows = []] = await db.execute([{ text: CLAIM, params: [limit, leaseMs] }]);
      return (rows as unknown as ClaimRow[]).map(toClaimed);
    },
    async advance({ tenant, id, turn }, { cursor, done, skipped, failures, nextInMs }) {
      const what = [cursor, JSON.stringify(done), skipped, JSON.stringify(failures), nextInMs];
      const [rows = []] = await db.execute([{ text: ADVANCE, params: [tenant, id, turn, ...what] }]);
      return rows.length > 0;
    },
  };
}

function toJson(value: unknown): string | null {
  return value === null ? null : JSON.stringify(value);
}

function toBulk(row: BulkRow): Bulk {
  const { id, verb, asked, compensate, rate, note, status, done, skipped, failed, failures } = row;
  return {
    ...{ id, verb, asked, compensate, rate, note, status, done, skipped, failed, failures },
    of: row.source,
    by: row.done_by,
    matching: { count: row.matching, exact: row.matching_exact },
    createdAt: row.created_at,
    updatedAt: row.updated_at,
    finishedAt: row.finished_at,
  };
}

function toClaimed(row: ClaimRow): ClaimedBulk {
  const { tenant, id, verb, compensate, rate, turn, cursor } = row;
  const source: BulkSource =
    row.source === "ids"
      ? { kind: "ids", ids: row.ids ?? [] }
      : { kind: row.source, filter: row.filter ?? {} };
  return { tenant, id, verb, source, compensate, rate, by: row.done_by, turn, cursor };
}
