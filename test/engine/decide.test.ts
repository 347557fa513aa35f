import { describe, expect, test } from "vitest";
import {
  BRANCH_LIMIT,
  decide,
  decideCompensating,
  decideContinued,
  decideDead,
  decideFailed,
  decideRefused,
  decideUndone,
  NOTHING_DONE,
} from "../../src/engine/decide.ts";
import { type Edge, isDue, type SleepEdge, type WaitEdge, type When } from "../../src/engine/edge.ts";
import { DeadlineExceeded, WorkflowStalled } from "../../src/engine/errors.ts";
import { type ClaimedRun, isFinal, RUN_STATUSES, type Verdict } from "../../src/engine/run.ts";
import { claimedRun, doneWith, NOON, newEntryOf, newRunOf, stepEdgeOf as step } from "./support.ts";

const run = claimedRun({
  runId: "r",
  turn: 4,
  deliveries: 2,
  timers: [{ key: "nap", begunAt: NOON - 5, dueAt: NOON + 5 }],
});
const entries = [newEntryOf({ seq: 9, tookMs: 3 })];
const done = doneWith(...entries);

const sleep = (changes: Partial<SleepEdge> = {}): SleepEdge => ({
  kind: "sleep",
  key: "nap",
  due: { inMs: 1_000 },
  begunAt: null,
  ...changes,
});
const wait = (changes: Partial<WaitEdge> = {}): WaitEdge => ({
  kind: "wait",
  on: "signal",
  key: "go",
  name: "go",
  due: null,
  begunAt: null,
  schema: undefined,
  child: undefined,
  ...changes,
});
const rest = (...edges: Edge[]) => decide(run, { state: "resting", edges }, done);

describe("decide", () => {
  test("carries the turn, the deliveries and the entries in every decision (I2, I4)", () => {
    for (const decision of [
      decide(run, { state: "finished", output: 1 }, done),
      decide(run, { state: "threw", thrown: new Error() }, done),
      decide(run, { state: "stuck", error: new WorkflowStalled("w") }, done),
      rest(step()),
      decideDead(run, new Error(), done),
      decideFailed(run, new DeadlineExceeded(NOON), done),
    ]) {
      expect(decision).toMatchObject({ tenant: "default", runId: "r", turn: 4, deliveries: 2, entries });
    }
  });

  test("a finished plan completes the run, with its output as it is stored", () => {
    expect(decide(run, { state: "finished", output: { at: new Date(0) } })).toMatchObject({
      status: "completed",
      output: { json: { at: "1970-01-01T00:00:00.000Z" } },
      failure: null,
      wakeAt: null,
      wakeInMs: null,
      currentStep: null,
    });
    expect(decide(run, { state: "finished", output: undefined })).toMatchObject({
      status: "completed",
      output: null,
    });
  });

  test("a completed run leaves no timer behind", () => {
    expect(decide(run, { state: "finished", output: 1 }).endedTimers).toEqual(["nap"]);
  });

  test("a failed or dead run keeps its timers, for a revive", () => {
    expect(decide(run, { state: "threw", thrown: new Error() }).endedTimers).toEqual([]);
    expect(decideDead(run, new Error()).endedTimers).toEqual([]);
  });

  test("an output that cannot be stored fails the run, naming the workflow and the path", () => {
    expect(decide(run, { state: "finished", output: { f: () => 1 } }, done)).toMatchObject({
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
    expect(decide(run, { state: "threw", thrown: "no" }, done)).toMatchObject({
      status: "failed",
      failure: { message: "no" },
    });
  });

  test("a stuck plan makes the run dead", () => {
    expect(decide(run, { state: "stuck", error: new WorkflowStalled("w") }, done)).toMatchObject({
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
      wait({ key: "w", due: { inMs: 700 } }),
      sleep({ key: "x", due: { inMs: 400 } }),
      sleep({ key: "y", due: { at: NOON + 9 } }),
      sleep({ key: "z", due: { at: NOON + 3 }, begunAt: NOON - 5 }),
    ];
    expect(rest(...edges)).toMatchObject({ status: "waiting", wakeInMs: 400, wakeAt: NOON + 3 });
    expect(rest(...edges, sleep({ key: "now", due: { inMs: 0 } }))).toMatchObject({
      status: "ready",
      wakeInMs: 0,
      wakeAt: NOON + 3,
    });
  });

  test("an instant that is left over makes the run due at once", () => {
    const value: Edge = { kind: "instant", entry: "value", key: "now", settle: () => expect.fail("settled") };
    expect(rest(wait(), value)).toMatchObject({ status: "ready", wakeInMs: 0 });
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
    const slept = newEntryOf({ kind: "sleep", key: "nap" });
    expect(decide(run, { state: "resting", edges: [step()] }, doneWith(slept)).endedTimers).toEqual(["nap"]);
    expect(rest(step()).endedTimers).toEqual([]);
  });

  test("a decision survives the way to another invocation", () => {
    const decision = decide(run, { state: "threw", thrown: new Error("no", { cause: new Map() }) }, done);
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

describe("steps that run apart", () => {
  const branchesOf = (changes: Partial<ClaimedRun>, ...edges: Edge[]) =>
    decide(claimedRun(changes), { state: "resting", edges });
  const live = (key: string, leased = false) => ({ key, leased });

  test("a step beside anything else becomes a branch, with all that its attempt needs to know", () => {
    const edges = [
      step({ askedAt: 3, attempt: 2, spent: 1, due: { at: NOON + 5 } }),
      step({ key: "b", askedAt: 4 }),
    ];
    expect(branchesOf({}, ...edges)).toMatchObject({
      status: "waiting",
      wakeAt: null,
      wakeInMs: null,
      branches: [
        { key: "a", askedAt: 3, attempt: 2, spent: 1, due: { at: NOON + 5 } },
        { key: "b", askedAt: 4, attempt: 1, spent: 0, due: null },
      ],
    });
    for (const beside of [sleep({ key: "nap" }), wait()]) {
      expect(branchesOf({}, step(), beside).branches.map(({ key }) => key)).toEqual(["a"]);
    }
  });

  test("a step alone does not, unless it must be noted before it begins", () => {
    expect(branchesOf({}, step()).branches).toEqual([]);
    for (const edge of [
      step({ options: { atMostOnce: true } }),
      step({ work: { by: "transaction", body: () => null } }),
    ]) {
      expect(branchesOf({}, edge)).toMatchObject({
        status: "waiting",
        wakeInMs: null,
        branches: [{ key: "a" }],
      });
    }
  });

  test("a branch that is there is not forked again, and its run waits for it without a time of its own", () => {
    const branches = [live("a", true), live("b")];
    expect(branchesOf({ branches }, step(), step({ key: "b" }), step({ key: "c" })).branches).toMatchObject([
      { key: "c" },
    ]);
    for (const leased of [true, false]) {
      expect(branchesOf({ branches: [live("a", leased)] }, step())).toMatchObject({
        status: "waiting",
        wakeAt: null,
        wakeInMs: null,
        branches: [],
        endedBranches: [],
      });
    }
  });

  test("a branch that nobody waits for any more goes", () => {
    const branches = [live("a"), live("b", true), live("c")];
    expect(branchesOf({ branches }, step({ key: "c" }), wait()).endedBranches).toEqual(["a", "b"]);
  });

  test("no more than so many run at once, counting those that are there; the next follow as these end", () => {
    const keys = Array.from({ length: BRANCH_LIMIT + 5 }, (_, i) => `s${i}`);
    const edges = keys.map((key) => step({ key }));
    expect(branchesOf({}, ...edges).branches).toHaveLength(BRANCH_LIMIT);
    const branches = keys.slice(0, BRANCH_LIMIT - 1).map((key) => live(key));
    expect(branchesOf({ branches }, ...edges).branches).toMatchObject([{ key: `s${BRANCH_LIMIT - 1}` }]);
    const left = edges.slice(1);
    const over = doneWith(newEntryOf({ key: "s0" }));
    expect(decide(claimedRun({ branches }), { state: "resting", edges: left }, over).branches).toHaveLength(
      2,
    );
  });

  test("a step of which only a person can say what came waits for a word, and for no time", () => {
    const edge = step({ unknown: true, options: { atMostOnce: true } });
    const parked = { status: "waiting", wakeAt: null, wakeInMs: null, branches: [] };
    expect(branchesOf({}, edge)).toMatchObject({
      ...parked,
      waits: [{ key: "a", kind: "person", name: "a", due: null }],
    });
    const waits = [{ key: "a", kind: "person" as const, begunAt: NOON, dueAt: null }];
    expect(branchesOf({ waits }, edge)).toMatchObject({ ...parked, waits: [] });
  });
});

describe("waits", () => {
  test("are written when they begin, with the signal's, the channel's or the child's name", () => {
    const child = newRunOf({ id: "child-1" });
    const edges = [
      wait({ key: "go#2", due: { inMs: 9 } }),
      wait({ on: "message", key: "receive news", name: "news" }),
      wait({ on: "child", key: "invoke", name: null }),
      wait({ key: "old", begunAt: NOON }),
    ];
    const decision = decide(
      run,
      { state: "resting", edges },
      { ...NOTHING_DONE, children: new Map([["invoke", child]]) },
    );
    expect(decision.waits).toEqual([
      { key: "go#2", kind: "signal", name: "go", due: { inMs: 9 } },
      { key: "receive news", kind: "message", name: "news", due: null },
      { key: "invoke", kind: "child", name: "child-1", due: null },
    ]);
    expect(decision.effects).toEqual([{ kind: "start", run: child }]);
    expect(decision).toMatchObject({ status: "waiting", wakeInMs: 9 });
  });
});

describe("a verdict", () => {
  const verdict: Verdict = { status: "failed", failure: { code: "error", name: "Error", message: "no" } };
  const branches = [
    { key: "idle", leased: false },
    { key: "busy", leased: true },
  ];
  const undoing = claimedRun({ branches, verdict, failedCompensations: 1 });

  test("keeps the branches that are under way and drops the idle ones", () => {
    expect(decideCompensating(undoing, verdict, done, null)).toMatchObject({
      status: "waiting",
      wakeAt: null,
      wakeInMs: null,
      endedBranches: ["idle"],
      verdict,
      failure: null,
    });
  });

  test("leaves the run due for the next compensator, or parks it until its next attempt", () => {
    const next = (due: When | null) => decideCompensating(undoing, verdict, done, { key: "k", due });
    expect(next(null)).toMatchObject({ status: "ready", wakeInMs: 0, currentStep: "k" });
    expect(next({ inMs: 5 })).toMatchObject({ status: "waiting", wakeInMs: 5, wakeAt: null });
    expect(next({ at: NOON })).toMatchObject({ status: "waiting", wakeInMs: null, wakeAt: NOON });
  });

  test("becomes the run's status once everything is undone; a cancelled run leaves no timer behind", () => {
    expect(decideUndone(run, verdict, true, done)).toMatchObject({ ...verdict, verdict, endedTimers: [] });
    expect(decideUndone(run, verdict, false, done)).toMatchObject({ ...verdict, verdict: null });
    const cancelled: Verdict = { status: "cancelled", failure: null };
    expect(decideUndone(run, cancelled, true, done)).toMatchObject({
      status: "cancelled",
      failure: null,
      endedTimers: ["nap"],
    });
  });

  test("counts the compensations that failed, those of earlier turns too", () => {
    const two = { ...done, failedCompensations: 2 };
    expect(decideCompensating(undoing, verdict, two, null).failedCompensations).toBe(3);
    expect(decideUndone(undoing, verdict, true, two).failedCompensations).toBe(3);
  });
});

test("a run that goes on as another is completed, without an output, and leaves no timer behind", () => {
  const successor = newRunOf({ id: "next" });
  expect(decideContinued(run, successor, done)).toMatchObject({
    status: "completed",
    output: null,
    successor,
    endedTimers: ["nap"],
    entries,
  });
});

test("a decision that the database refuses becomes a death that writes nothing else and keeps its fence", () => {
  const child = newRunOf({ id: "child" });
  const made = decide(
    run,
    { state: "resting", edges: [wait(), sleep({ key: "x" }), step()] },
    { ...done, consumed: [{ id: 1, key: "a" }], effects: [{ kind: "start", run: child }], endedWaits: ["w"] },
  );
  expect(decideRefused(made, new Error("22P05"))).toMatchObject({
    runId: "r",
    turn: 4,
    status: "dead",
    failure: { message: "22P05" },
    wakeAt: null,
    wakeInMs: null,
    entries: [],
    consumed: [],
    effects: [],
    timers: [],
    waits: [],
    endedWaits: [],
    branches: [],
    successor: null,
  });
});
