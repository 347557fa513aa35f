/** What the API answers, as far as a test cares. */
import type { Line, RunDetail, RunRow } from "../../../dashboard/src/api/types.ts";

/** Milliseconds after some beginning, as the API writes instants. */
export function at(ms: number): string {
  return new Date(Date.UTC(2026, 0, 1) + ms).toISOString();
}

export const START = Date.UTC(2026, 0, 1);

let seq = 0;

export function line(key: string | null, from: number, to: number, more: Partial<Line> = {}): Line {
  seq += 1;
  return {
    seq,
    kind: "step",
    key,
    outcome: "completed",
    attempt: 1,
    turn: 1,
    failure: null,
    startedAt: at(from),
    recordedAt: at(to),
    retryAt: null,
    queuedAt: null,
    branch: false,
    childId: null,
    outputBytes: null,
    ...more,
  };
}

export function runDetail(more: Partial<RunDetail> = {}): RunDetail {
  return {
    ...row(),
    input: null,
    output: null,
    waits: [],
    branches: [],
    sleeps: [],
    turnBegunAt: null,
    ...more,
  };
}

export function row(more: Partial<RunRow> = {}): RunRow {
  return {
    id: "01M7YESCS8AV6MMKQKV5JGV9SG",
    workflow: "fulfil-order",
    version: 1,
    status: "completed",
    createdAt: at(0),
    startedAt: at(0),
    finishedAt: null,
    wakeAt: null,
    deadlineAt: null,
    discardedAt: null,
    leaseExpiresAt: null,
    currentStep: null,
    stepsDone: 0,
    turn: 1,
    lostTurns: 0,
    tags: [],
    idempotencyKey: null,
    failure: null,
    phase: "forward",
    failedCompensations: 0,
    pausedAt: null,
    parentId: null,
    continuedFrom: null,
    continuedTo: null,
    forkedFrom: null,
    deployment: null,
    last: null,
    waitsFor: null,
    ...more,
  };
}
