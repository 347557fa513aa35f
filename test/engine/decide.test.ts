import { describe, expect, test } from "vitest";
import { decide, decideDead, decideFailed } from "../../src/engine/decide.ts";
import { type Edge, isDue, type SleepEdge, type StepEdge } from "../../src/engine/edge.ts";
import { DeadlineExceeded, WorkflowStalled } from "../../src/engine/errors.ts";
import type { NewEntry } from "../../src/engine/journal.ts";
import { isFinal, RUN_STATUSES } from "../../src/engine/run.ts";
import { claimedRun, entryOf, NOON } from "./support.ts";

const run = claimedRun({
  runId: "r",
  turn: 4,
  deliveries: 2,
  timers: [{ key: "nap", begunAt: NOON - 5, dueAt: NOON + 5 }],
});
const { retryAt: _, ...entry } = entryOf({ seq: 9 });
const entries: NewEntry[] = [{ ...entry, retryInMs: null, tookMs: 3 }];

const step = (changes: Partial<StepEdge> = {}): StepEdge => ({
  kind: "step",
  key: "a",
  name: "a",
  body: () => null,
  options: {},
  attempt: 1,
  spent: 0,
  due: null,
  ...changes,
});
const sleep = (changes: Partial<SleepEdge> = {}): SleepEdge => ({
  kind: "sleep",
  key: "nap",
  due: { inMs: 1_000 },
  begunAt: null,
  ...changes,
});
const rest = (...edges: Edge[]) => decide(run, { state: "resting", edges }, entries);

describe("decide", () => {
  test("carries the turn, the deliveries and the entries in every decision (I2, I4)", () => {
    for (const decision of [
      decide(run, { state: "finished", output: 1 }, entries),
      decide(run, { state: "threw", thrown: new Error() }, entries),
      decide(run, { state: "stuck", error: new WorkflowStalled("w") }, entries),
      rest(step()),
      decideDead(run, new Error(), entries),
      decideFailed(run, new DeadlineExceeded(NOON), entries),
    ]) {
      expect(decision).toMatchObject({ tenant: "default", runId: "r", turn: 4, deliveries: 2, entries });
    }
  });

  test("a finished plan completes the run, with its output as it is stored", () => {
    expect(decide(run, { state: "finished", output: { at: new Date(0) } }, [])).toMatchObject({
      status: "completed",
      output: { json: { at: "1970-01-01T00:00:00.000Z" } },
      failure: null,
      wakeAt: null,
      wakeInMs: null,
      currentStep: null,
    });
    expect(decide(run, { state: "finished", output: undefined }, [])).toMatchObject({
      status: "completed",
      output: null,
    });
  });

  test("a completed run leaves no timer behind", () => {
    expect(decide(run, { state: "finished", output: 1 }, []).endedTimers).toEqual(["nap"]);
  });

  test("a failed or dead run keeps its timers, for a revive", () => {
    expect(decide(run, { state: "threw", thrown: new Error() }, []).endedTimers).toEqual([]);
    expect(decideDead(run, new Error()).endedTimers).toEqual([]);
  });

  test("an output that cannot be stored fails the run, naming the workflow and the path", () => {
    expect(decide(run, { state: "finished", output: { f: () => 1 } }, entries)).toMatchObject({
      status: "failed",
      output: null,
      entries,
      failure: {
        code: "unstorable_value",
        message: expect.stringContaining('The output of workflow "test" cannot be stored: "f"'),
      },
    });
  });

  test("a plan that threw fails the run", () => {
    expect(decide(run, { state: "threw", thrown: "no" }, entries)).toMatchObject({
      status: "failed",
      failure: { message: "no" },
    });
  });

  test("a stuck plan makes the run dead", () => {
    expect(decide(run, { state: "stuck", error: new WorkflowStalled("w") }, entries)).toMatchObject({
      status: "dead",
      failure: { code: "workflow_stalled" },
    });
  });

  test("a step that may run at once leaves the run ready", () => {
    expect(rest(step())).toMatchObject({
      status: "ready",
      wakeInMs: 0,
      wakeAt: null,
      currentStep: "a",
      timers: [],
    });
  });

  test("a step that is to be tried later parks the run until then", () => {
    expect(rest(step({ due: { inMs: 700 } }))).toMatchObject({
      status: "waiting",
      wakeInMs: 700,
      wakeAt: null,
    });
    expect(rest(step({ due: { at: NOON } }))).toMatchObject({
      status: "waiting",
      wakeInMs: null,
      wakeAt: NOON,
    });
  });

  test("the run wakes for the earliest of what it waits for, of spans and of instants", () => {
    const edges = [
      step({ due: { inMs: 700 } }),
      sleep({ key: "x", due: { inMs: 400 } }),
      sleep({ key: "y", due: { at: NOON + 9 } }),
      sleep({ key: "z", due: { at: NOON + 3 }, begunAt: NOON - 5 }),
    ];
    expect(rest(...edges)).toMatchObject({ status: "waiting", wakeInMs: 400, wakeAt: NOON + 3 });
    expect(rest(...edges, step({ key: "now" }))).toMatchObject({
      status: "ready",
      wakeInMs: 0,
      wakeAt: NOON + 3,
    });
  });

  test("a timer is written for a sleep that begins, and for no other", () => {
    const edges = [
      sleep({ key: "new" }),
      sleep({ key: "old", begunAt: NOON - 5, due: { at: NOON } }),
      sleep({ key: "date", due: { at: NOON } }),
    ];
    expect(rest(...edges).timers).toEqual([
      { key: "new", due: { inMs: 1_000 } },
      { key: "date", due: { at: NOON } },
    ]);
  });

  test("a sleep that ends in this turn ends its timer", () => {
    const slept = [{ ...(entries[0] as NewEntry), kind: "sleep" as const, key: "nap" }];
    expect(decide(run, { state: "resting", edges: [step()] }, slept).endedTimers).toEqual(["nap"]);
    expect(rest(step()).endedTimers).toEqual([]);
  });

  test("a decision survives the way to another invocation", () => {
    const decision = decide(run, { state: "threw", thrown: new Error("no", { cause: new Map() }) }, entries);
    expect(structuredClone(decision)).toEqual(decision);
    expect(JSON.parse(JSON.stringify(decision))).toEqual(decision);
  });
});

test("an edge is due when its time has come, and a span has not", () => {
  expect(isDue(step(), NOON)).toBe(true);
  expect(isDue(step({ due: { at: NOON } }), NOON)).toBe(true);
  expect(isDue(step({ due: { at: NOON + 1 } }), NOON)).toBe(false);
  expect(isDue(step({ due: { inMs: 0 } }), NOON)).toBe(false);
});

test("completed, cancelled, failed and dead are final, and nothing else", () => {
  expect(RUN_STATUSES.filter(isFinal)).toEqual(["completed", "cancelled", "failed", "dead"]);
});
