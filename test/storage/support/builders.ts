/** The values that storage verbs take, with everything that a test does not care about filled in. */
import { monotonicFactory } from "ulid";
import { encode } from "../../../src/engine/codec.ts";
import type { Decision } from "../../../src/engine/decide.ts";
import { type Failure, toFailure } from "../../../src/engine/failure.ts";
import type { NewEntry } from "../../../src/engine/journal.ts";
import type { ClaimedRun, NewRun, RunRef } from "../../../src/engine/run.ts";

export const MINUTE = 60_000;
export const HOUR = 60 * MINUTE;
export const DAY = 24 * HOUR;
/** As long as any test needs a turn to last. */
export const LEASE = 60_000;

export const boom: Failure = withoutStack(toFailure(new Error("boom")));

/** Each id comes after the one before, as those of runs that are started one after the other do. */
const nextId = monotonicFactory();

export function newRun(fields: Partial<NewRun> = {}): NewRun {
  return {
    id: nextId(),
    workflow: "ship",
    version: 1,
    input: encode({ order: 7 }, "The input"),
    tags: [],
    idempotencyKey: null,
    startAt: null,
    delayMs: null,
    deadlineAt: null,
    deadlineInMs: null,
    parent: null,
    continuedFrom: null,
    deployment: null,
    ...fields,
  };
}

/** What a turn decides: by default to go on at once. */
export function decision(run: Turn, fields: Partial<Decision> = {}): Decision {
  const status = fields.status ?? "ready";
  const parked = status === "ready" || status === "waiting";
  return {
    tenant: run.tenant,
    runId: run.runId,
    turn: run.turn,
    status,
    wakeAt: null,
    wakeInMs: parked && fields.wakeAt === undefined ? 0 : null,
    deliveries: run.deliveries,
    entries: [],
    timers: [],
    endedTimers: [],
    waits: [],
    endedWaits: [],
    branches: [],
    endedBranches: [],
    consumed: [],
    effects: [],
    verdict: null,
    failedCompensations: 0,
    entryBytes: 0,
    successor: null,
    parent: null,
    currentStep: null,
    output: null,
    failure: status === "failed" || status === "dead" ? boom : null,
    ...fields,
  };
}

export type Turn = Pick<ClaimedRun, "tenant" | "runId" | "turn" | "deliveries">;

/** A completed step. */
export function entry(seq: number, fields: Partial<NewEntry> = {}): NewEntry {
  return {
    seq,
    kind: "step",
    key: `step ${seq}`,
    outcome: "completed",
    attempt: 1,
    output: encode(seq, "The output"),
    failure: null,
    retryInMs: null,
    tookMs: 5,
    ...fields,
  };
}

export function failedEntry(seq: number, fields: Partial<NewEntry> = {}): NewEntry {
  return entry(seq, { outcome: "failed", output: null, failure: boom, ...fields });
}

export function retryingEntry(seq: number, fields: Partial<NewEntry> = {}): NewEntry {
  return entry(seq, { outcome: "retrying", output: null, failure: boom, retryInMs: 1_000, ...fields });
}

export function ref({ tenant, runId }: RunRef): RunRef {
  return { tenant, runId };
}

/** Fails the test when there is none: for what the test takes for granted. */
export function only<T>(items: readonly T[]): T {
  const [first] = items;
  if (first === undefined || items.length !== 1) throw new Error(`one was expected, not ${items.length}`);
  return first;
}

function withoutStack({ stack: _, ...failure }: Failure): Failure {
  return failure;
}
