/**
 * I4, I5: a signal that comes with a start is delivered as any other is, once its run's row is locked, and in the
 * transaction that inserts or finds the run: none is accepted for a run that is not there.
 */
import { NeonDbError } from "@neondatabase/serverless";
import type { NewSignal, StartedRun } from "../engine/ports.ts";
import { IdempotencyConflict, WrongStatus } from "../engine/refusals.ts";
import type { NewRun } from "../engine/run.ts";
import { bump } from "./bump.ts";
import type { Db, Row } from "./db.ts";
import { RUN_COLUMNS, type RunRow, toRun } from "./rows.ts";

/** Raised inside the transaction, so that a batch with one conflict starts nothing. */
export const CONFLICT = "PW409";
const OVER = "PW410";

const ASKED = `
asked as materialized (
  select * from jsonb_to_recordset($2::jsonb) as a (
    "id" text, "workflow" text, "version" int, "input" jsonb, "tags" text[], "idempotencyKey" text,
    "startAt" float8, "delayMs" float8, "deadlineAt" float8, "deadlineInMs" float8, "deployment" text)
)`;

/** In the order of the keys: two batches that start the same ones must not wait for each other. */
const INSERT = `
with at as materialized (select pawl.clock() as now), ${ASKED},
started as (
  insert into pawl.runs (tenant, id, workflow, version, status, wake_at, wake_up_sent_at, deadline_at, created_at,
    tags, idempotency_key, input, input_meta, deployment, starts_at)
  select $1, a.id, a.workflow, a.version, 'ready', w.at,
    case when w.at < at.now + interval '1 day' then at.now end, d.at, at.now,
    a.tags, a."idempotencyKey", a.input -> 'json', nullif(a.input -> 'meta', 'null'), a.deployment,
    case when w.at > at.now then w.at end
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

/** The run of `a`: the one that its key has, which may be older than this start. */
const RUN_OF = `cross join lateral (select * from pawl.runs r where r.tenant = $1 and r.id = coalesce((select k.id from pawl.runs k
  where k.tenant = $1 and k.workflow = a.workflow and k.idempotency_key = a."idempotencyKey"), a.id) limit 1) r`;

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
${RUN_OF}`;

const SIGNALS = `
signals as materialized (
  select r.tenant, r.id as run_id, r.status, g.name, g.payload, g."dedupeId", g.n from asked a
  join jsonb_to_recordset($3::jsonb) as g ("runId" text, "name" text, "payload" jsonb, "dedupeId" text, "n" int)
    on g."runId" = a.id
  ${RUN_OF}
)`;

/** I11: the runs that signals go to, found in one statement and locked in the next. */
const LOCK = `
with ${ASKED}, ${SIGNALS}
select from pawl.runs r where (r.tenant, r.id) in (select tenant, run_id from signals)
order by r.tenant, r.id
for update of r`;

/** A dead run keeps what arrives: it may be revived. */
const DELIVER = `
with ${ASKED}, ${SIGNALS},
delivered as (
  insert into pawl.deliveries (tenant, run_id, kind, name, outcome, payload, payload_meta, dedupe_id, arrived_at)
  select s.tenant, s.run_id, 'signal', s.name, 'completed', s.payload -> 'json', nullif(s.payload -> 'meta', 'null'),
    s."dedupeId", pawl.clock()
  from signals s
  where case when s.status in ('completed', 'cancelled', 'failed')
    then pawl.refuse('${OVER}', jsonb_build_array(s.run_id, s.status)::text) else true end
  order by s.n
  on conflict do nothing
  returning tenant, run_id
),
bumped as (${bump("delivered")})
select id from bumped where due`;

type FoundRow = RunRow & { asked_id: string; wake_in_ms: number | null };

/** In the order of `runs`. Throws `IdempotencyConflict`, `WrongStatus`, and then has started and delivered none. */
export async function startRuns(
  db: Db,
  tenant: string,
  runs: readonly NewRun[],
  signals: readonly NewSignal[] = [],
): Promise<StartedRun[]> {
  const params = [tenant, JSON.stringify(runs)];
  const sent = JSON.stringify(signals.map(({ id, ...signal }, n) => ({ ...signal, dedupeId: id, n })));
  const delivering = signals.length === 0 ? [] : [LOCK, DELIVER];
  const answers = await db
    .execute([
      { text: INSERT, params },
      ...delivering.map((text) => ({ text, params: [...params, sent] })),
      { text: FIND, params },
    ])
    .catch((error: unknown) => {
      throw toRefusal(error);
    });
  const created = idsOf(answers[0]);
  const woken = idsOf(signals.length === 0 ? [] : answers[2]);
  const byAskedId = new Map((answers.at(-1) as unknown as FoundRow[]).map((row) => [row.asked_id, row]));
  return runs.flatMap(({ id }): StartedRun[] => {
    const row = byAskedId.get(id);
    if (row === undefined) return [];
    const start = { run: toRun(row), created: created.has(id), wakeInMs: row.wake_in_ms ?? 0 };
    return [woken.has(row.id) ? { ...start, woken: true } : start];
  });
}

function idsOf(rows: readonly Row[] = []): ReadonlySet<unknown> {
  return new Set(rows.map(({ id }) => id));
}

/** What was raised inside a transaction that starts runs, as the error that it stands for. */
export function toRefusal(error: unknown): unknown {
  if (!(error instanceof NeonDbError)) return error;
  if (error.code !== CONFLICT && error.code !== OVER) return error;
  const [subject, what] = JSON.parse(error.detail ?? "[]") as [string, string];
  if (error.code === CONFLICT) return new IdempotencyConflict(subject, what);
  return new WrongStatus(subject, what, "signalled", "live and dead");
}
