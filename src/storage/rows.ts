/** Rows of Postgres ↔ values of the engine. */
import type { Encoded, Json } from "../engine/codec.ts";
import type { Failure } from "../engine/errors.ts";
import type { Entry, EntryKind, EntryOutcome, Timer } from "../engine/journal.ts";
import type { Run, RunDetail, RunStatus } from "../engine/run.ts";

/** The columns of a `Run`, of a table or CTE called `r`. Instants come as milliseconds. */
export const RUN_COLUMNS = `
  r.tenant, r.id, r.workflow, r.version, r.status, r.turn, r.lost_turns, r.tags, r.idempotency_key,
  r.current_step, r.steps_done, r.failure, pawl.ms(r.created_at) as created_at, pawl.ms(r.started_at) as started_at,
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
  };
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

export type TimerTuple = readonly [key: string, begunAt: number, dueAt: number];

export function toTimer([key, begunAt, dueAt]: TimerTuple): Timer {
  return { key, begunAt, dueAt };
}

function toEncoded(pair: readonly [Json, Json] | null): Encoded | null {
  return pair === null ? null : { json: pair[0], meta: pair[1] };
}
