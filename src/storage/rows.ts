/** Rows of Postgres ↔ values of the engine. */
import type { Encoded, Json } from "../engine/codec.ts";
import type { Delivery, DeliveryKind, DeliveryOutcome, FailedAttempt } from "../engine/delivery.ts";
import type { Failure } from "../engine/failure.ts";
import type { Entry, EntryKind, EntryOutcome, Timer, Wait } from "../engine/journal.ts";
import type { Parent, Phase, Run, RunDetail, RunStatus } from "../engine/run.ts";

/** The columns of a `Run`, of a table or CTE called `r`. Instants come as milliseconds. */
export const RUN_COLUMNS = `
  r.tenant, r.id, r.workflow, r.version, r.status, r.turn, r.lost_turns, r.tags, r.idempotency_key,
  r.current_step, r.steps_done, coalesce(r.failure, nullif(r.verdict -> 'failure', 'null')) as failure, r.phase,
  r.failed_compensations, r.parent_id, r.parent_key, r.continued_from, r.continued_to, r.forked_from, r.deployment,
  pawl.ms(r.paused_at) as paused_at, pawl.ms(r.created_at) as created_at, pawl.ms(r.started_at) as started_at,
  pawl.ms(r.wake_at) as wake_at, pawl.ms(r.lease_expires_at) as lease_expires_at,
  pawl.ms(r.deadline_at) as deadline_at, pawl.ms(r.finished_at) as finished_at,
  pawl.ms(r.discarded_at) as discarded_at`;

export interface RunRow {
  tenant: string;
  id: string;
  workflow: string;
  version: number;
  status: RunStatus;
  turn: number;
  lost_turns: number;
  tags: string[];
  idempotency_key: string | null;
  current_step: string | null;
  steps_done: number;
  failure: Failure | null;
  created_at: number;
  started_at: number | null;
  wake_at: number | null;
  lease_expires_at: number | null;
  deadline_at: number | null;
  finished_at: number | null;
  discarded_at: number | null;
  phase: Phase;
  failed_compensations: number;
  paused_at: number | null;
  parent_id: string | null;
  parent_key: string | null;
  continued_from: string | null;
  continued_to: string | null;
  forked_from: string | null;
  deployment: string | null;
}

export interface RunDetailRow extends RunRow {
  input: Json;
  input_meta: Json;
  output: Json;
  output_meta: Json;
  has_output: boolean;
}

export function toRun(row: RunRow): Run {
  return {
    tenant: row.tenant,
    runId: row.id,
    workflow: row.workflow,
    version: row.version,
    status: row.status,
    turn: row.turn,
    lostTurns: row.lost_turns,
    tags: row.tags,
    idempotencyKey: row.idempotency_key,
    currentStep: row.current_step,
    stepsDone: row.steps_done,
    failure: row.failure,
    createdAt: row.created_at,
    startedAt: row.started_at,
    wakeAt: row.wake_at,
    leaseExpiresAt: row.lease_expires_at,
    deadlineAt: row.deadline_at,
    finishedAt: row.finished_at,
    discardedAt: row.discarded_at,
    phase: row.phase,
    failedCompensations: row.failed_compensations,
    pausedAt: row.paused_at,
    parent: toParent(row.parent_id, row.parent_key),
    continuedFrom: row.continued_from,
    continuedTo: row.continued_to,
    forkedFrom: row.forked_from,
    deployment: row.deployment,
  };
}

export function toParent(runId: string | null, key: string | null): Parent | null {
  return runId === null ? null : { runId, key };
}

export function toRunDetail(row: RunDetailRow): RunDetail {
  return {
    ...toRun(row),
    input: { json: row.input, meta: row.input_meta },
    output: row.has_output ? { json: row.output, meta: row.output_meta } : null,
  };
}

/** One entry as a JSON array of journal `j`, in the order of `EntryTuple`: keys would double what a long journal weighs. */
export const ENTRY_TUPLE = `json_build_array(j.seq, j.kind, j.key, j.outcome, j.attempt,
  case when j.output is null then null else json_build_array(j.output, j.output_meta) end,
  j.failure, pawl.ms(j.retry_at))`;

export type EntryTuple = readonly [
  seq: number,
  kind: EntryKind,
  key: string | null,
  outcome: EntryOutcome,
  attempt: number,
  output: readonly [Json, Json] | null,
  failure: Failure | null,
  retryAt: number | null,
];

export function toEntry([seq, kind, key, outcome, attempt, output, failure, retryAt]: EntryTuple): Entry {
  return { seq, kind, key, outcome, attempt, output: toEncoded(output), failure, retryAt };
}

/** The same entry without its values. */
export const BARE_ENTRY_TUPLE =
  "json_build_array(j.seq, j.kind, j.key, j.outcome, j.attempt, null, null, pawl.ms(j.retry_at))";

export type TimerTuple = readonly [key: string, begunAt: number, dueAt: number];

export function toTimer([key, begunAt, dueAt]: TimerTuple): Timer {
  return { key, begunAt, dueAt };
}

export type WaitTuple = readonly [key: string, kind: Wait["kind"], begunAt: number, dueAt: number | null];

export function toWait([key, kind, begunAt, dueAt]: WaitTuple): Wait {
  return { key, kind, begunAt, dueAt };
}

/** How many deliveries one claim brings. */
export const INBOX_LIMIT = 1_000;

/** One delivery as a JSON array of `d`, in the order of `DeliveryTuple`; `withheld` is an expression. */
export const deliveryTuple = (
  withheld: string,
) => `json_build_array(d.id, d.kind, d.name, d.outcome, d.dedupe_id,
  case when d.payload is null or ${withheld} then null else json_build_array(d.payload, d.payload_meta) end,
  case when ${withheld} then null else d.failure end, d.attempt, case when ${withheld} then '[]' else d.attempts end,
  d.took_ms, pawl.ms(d.arrived_at), ${withheld})`;

export type DeliveryTuple = readonly [
  id: number,
  kind: DeliveryKind,
  name: string,
  outcome: DeliveryOutcome,
  sender: string | null,
  payload: readonly [Json, Json] | null,
  failure: Failure | null,
  attempt: number,
  attempts: readonly FailedAttempt[],
  tookMs: number,
  arrivedAt: number,
  withheld: boolean,
];

export function toDelivery(tuple: DeliveryTuple): Delivery {
  const [id, kind, name, outcome, sender, payload, failure, attempt, attempts, tookMs, arrivedAt, withheld] =
    tuple;
  const what = { payload: toEncoded(payload), failure, attempt, attempts, tookMs, arrivedAt, withheld };
  return { id, kind, name, outcome, sender, ...what };
}

function toEncoded(pair: readonly [Json, Json] | null): Encoded | null {
  return pair === null ? null : { json: pair[0], meta: pair[1] };
}
