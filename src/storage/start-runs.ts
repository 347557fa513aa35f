import { NeonDbError } from "@neondatabase/serverless";
import { IdempotencyConflict } from "../engine/errors.ts";
import type { NewRun, StartedRun } from "../engine/ports.ts";
import type { Db } from "./db.ts";
import { RUN_COLUMNS, type RunRow, toRun } from "./rows.ts";

/** Raised inside the transaction, so that a batch with one conflict starts nothing. */
const CONFLICT = "PW409";

const ASKED = `
asked as materialized (
  select * from jsonb_to_recordset($2::jsonb) as a (
    "id" text, "workflow" text, "version" int, "input" jsonb, "tags" text[], "idempotencyKey" text,
    "startAt" float8, "delayMs" float8, "deadlineAt" float8, "deadlineInMs" float8)
)`;

/** In the order of the keys: two batches that start the same ones must not wait for each other. */
const INSERT = `
with at as materialized (select pawl.clock() as now), ${ASKED},
started as (
  insert into pawl.runs (tenant, id, workflow, version, status, wake_at, wake_up_sent_at, deadline_at, created_at,
    tags, idempotency_key, input, input_meta)
  select $1, a.id, a.workflow, a.version, 'ready', w.at,
    case when w.at < at.now + interval '1 day' then at.now end, d.at, at.now,
    a.tags, a."idempotencyKey", a.input -> 'json', nullif(a.input -> 'meta', 'null')
  from asked a cross join at
  cross join lateral (select coalesce(to_timestamp(a."deadlineAt" / 1000), at.now + a."deadlineInMs" * interval '1 ms') as at) d
  cross join lateral (select least(d.at, greatest(at.now, to_timestamp(a."startAt" / 1000),
    at.now + a."delayMs" * interval '1 ms')) as at) w
  order by a.workflow, a."idempotencyKey", a.id
  on conflict (tenant, workflow, idempotency_key) where idempotency_key is not null do nothing
  returning tenant, id, tags
),
tagged as (
  insert into pawl.run_tags (tenant, tag, run_id)
  select distinct r.tenant, tag, r.id from started r, unnest(r.tags) as tag
)
select id from started`;

/**
 * A statement of its own: the run that a key has already may be younger than the snapshot of the insert that
 * lost to it. It locks nothing: a start waits for no turn of the run that it finds.
 */
const FIND = `
with at as materialized (select pawl.clock() as now), ${ASKED}
select ${RUN_COLUMNS}, a.id as asked_id,
  greatest(0, ceil(extract(epoch from r.wake_at - at.now) * 1000))::float8 as wake_in_ms,
  case when r.input <> a.input -> 'json' or r.input_meta is distinct from nullif(a.input -> 'meta', 'null')
    then pawl.refuse('${CONFLICT}', jsonb_build_array(r.idempotency_key, r.id)::text) end
from asked a cross join at
cross join lateral (select * from pawl.runs r where r.tenant = $1 and r.id = coalesce((select k.id from pawl.runs k
  where k.tenant = $1 and k.workflow = a.workflow and k.idempotency_key = a."idempotencyKey"), a.id) limit 1) r`;

type FoundRow = RunRow & { asked_id: string; wake_in_ms: number | null };

/** In the order of `runs`. Throws `IdempotencyConflict`, and then has started none. */
export async function startRuns(db: Db, tenant: string, runs: readonly NewRun[]): Promise<StartedRun[]> {
  const params = [tenant, JSON.stringify(runs)];
  const statements = [INSERT, FIND].map((text) => ({ text, params }));
  const [inserted = [], found = []] = await db.execute(statements).catch((error: unknown) => {
    throw toConflict(error);
  });
  const created = new Set(inserted.map(({ id }) => id));
  const byAskedId = new Map((found as unknown as FoundRow[]).map((row) => [row.asked_id, row]));
  return runs.flatMap(({ id }) => {
    const row = byAskedId.get(id);
    return row === undefined
      ? []
      : [{ run: toRun(row), created: created.has(id), wakeInMs: row.wake_in_ms ?? 0 }];
  });
}

function toConflict(error: unknown): unknown {
  if (!(error instanceof NeonDbError) || error.code !== CONFLICT) return error;
  const [key, runId] = JSON.parse(error.detail ?? "[]") as [string, string];
  return new IdempotencyConflict(key, runId);
}
