/** Runs, entries and values as tests write them down. */
import { type Done, NOTHING_DONE } from "../../src/engine/decide.ts";
import type { Delivery } from "../../src/engine/delivery.ts";
import type { Edge, Plan, StepEdge } from "../../src/engine/edge.ts";
import type { Failure } from "../../src/engine/failure.ts";
import type { Entry, NewEntry } from "../../src/engine/journal.ts";
import type { Rest } from "../../src/engine/plan/rest.ts";
import type { Addresses } from "../../src/engine/platform.ts";
import type { ClaimedRun, NewRun } from "../../src/engine/run.ts";
import { defineWorkflow, type Steps, type Workflow } from "../../src/engine/workflow.ts";

/** Noon, so that nothing starts at zero. */
export const NOON = Date.UTC(2026, 0, 1, 12);

const turnOfTheLoop = () => new Promise<void>((resolve) => void setImmediate(resolve));

/** Rests without real time: a turn of the event loop comes after every microtask. */
export const rest: Rest = { settled: turnOfTheLoop, grace: turnOfTheLoop };

/** Lets `count` microtasks pass: what code does that awaits something other than a step. */
export async function wander(count: number): Promise<void> {
  for (let i = 0; i < count; i++) await null;
}

/** A workflow without the ceremony. */
export function workflowOf<T>(run: (step: Steps, input: unknown) => Promise<T>): Workflow<unknown, T> {
  return defineWorkflow({ name: "test" }, ({ step, input }) => run(step, input));
}

/** Something that has arrived and brings nothing but its name. */
export function deliveryOf(
  what: Pick<Delivery, "id" | "kind" | "name" | "outcome"> & Partial<Delivery>,
): Delivery {
  const nothing = { sender: null, payload: null, failure: null, attempts: [], withheld: false };
  return { ...nothing, attempt: 1, tookMs: 0, arrivedAt: NOON, ...what };
}

export function claimedRun(changes: Partial<ClaimedRun> = {}): ClaimedRun {
  return {
    tenant: "default",
    runId: "run-1",
    workflow: "test",
    version: 1,
    turn: 1,
    input: { json: null, meta: null },
    tags: [],
    now: NOON,
    startedAt: NOON,
    deadlineAt: null,
    deliveries: 0,
    parent: null,
    verdict: null,
    failedCompensations: 0,
    journalBytes: 0,
    journal: [],
    partial: false,
    timers: [],
    waits: [],
    branches: [],
    inbox: [],
    ...changes,
  };
}

export function entryOf(changes: Partial<Entry> = {}): Entry {
  return {
    seq: 1,
    kind: "step",
    key: "a",
    outcome: "completed",
    attempt: 1,
    output: null,
    failure: null,
    retryAt: null,
    ...changes,
  };
}

export const failureOf = (message: string): Failure => ({ code: "error", name: "Error", message });

/** What Postgres gives back for a value: its keys in jsonb's order, and no object shared with anybody. */
export function stored<T>(value: T): T {
  return JSON.parse(JSON.stringify(value), (_key, item: unknown) =>
    typeof item === "object" && item !== null && !Array.isArray(item) ? inJsonbOrder(item) : item,
  ) as T;
}

function inJsonbOrder(value: object): object {
  const bytes = (key: string) => Buffer.from(key, "utf8");
  const keys = Object.keys(value).sort(
    (a, b) => bytes(a).length - bytes(b).length || bytes(a).compare(bytes(b)),
  );
  const sorted = {};
  for (const key of keys) {
    const field = Object.getOwnPropertyDescriptor(value, key);
    if (field !== undefined) Object.defineProperty(sorted, key, field);
  }
  return sorted;
}

/** Where hooks can be reached, in tests. */
export const addresses: Addresses = { hookUrl: (runId, key) => `/hooks/${runId}/${key}` };

export function newEntryOf(changes: Partial<NewEntry> = {}): NewEntry {
  const { retryAt: _, ...entry } = entryOf();
  return { ...entry, retryInMs: null, tookMs: 0, ...changes };
}

/** What a turn has done that journaled these. */
export function doneWith(...entries: readonly NewEntry[]): Done {
  return { ...NOTHING_DONE, entries };
}

export function edgesOf(plan: Plan): readonly Edge[] {
  return plan.state === "resting" ? plan.edges : [];
}

export function stepEdgeOf(changes: Partial<StepEdge> = {}): StepEdge {
  return {
    kind: "step",
    entry: "step",
    key: "a",
    work: { by: "body", body: () => null },
    options: {},
    askedAt: 0,
    attempt: 1,
    spent: 0,
    due: null,
    unknown: false,
    ...changes,
  };
}

export function newRunOf(changes: Partial<NewRun> = {}): NewRun {
  return {
    id: "run-2",
    workflow: "test",
    version: 1,
    input: { json: null, meta: null },
    tags: [],
    idempotencyKey: null,
    startAt: null,
    delayMs: null,
    deadlineAt: null,
    deadlineInMs: null,
    parent: null,
    continuedFrom: null,
    deployment: null,
    ...changes,
  };
}
