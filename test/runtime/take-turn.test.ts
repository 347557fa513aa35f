import { describe, expect, test } from "vitest";
import type { Decision } from "../../src/engine/decide.ts";
import { LeaseLost, StepTimedOut, StoreUnavailable } from "../../src/engine/errors.ts";
import { RetryableError } from "../../src/engine/retry.ts";
import type { ClaimedRun } from "../../src/engine/run.ts";
import type { AnyWorkflow, StepContext, StepOptions } from "../../src/engine/workflow.ts";
import { claimedRun, entryOf, failureOf, NOON, workflowOf } from "../engine/support.ts";
import { gate, LEASE_MS, leased, next, runtimeOf, settle, takeWhole } from "./support.ts";

const DAY = 86_400_000;

/** A turn of a workflow of one step, that the test watches from outside. */
function perform(
  body: (context: StepContext) => unknown,
  given: { options?: StepOptions; run?: Partial<ClaimedRun>; renewLease?: () => Promise<boolean> } = {},
) {
  const renewals: unknown[][] = [];
  const runtime = runtimeOf({
    workflows: [workflowOf((step) => step.run("work", body, given.options))],
    store: {
      renewLease: (...renewal) => {
        renewals.push(renewal);
        return given.renewLease?.() ?? Promise.resolve(true);
      },
    },
  });
  const state: { decision?: Decision | null } = {};
  const turn = takeWhole(runtime, leased(runtime, given.run)).then((decision) => {
    state.decision = decision;
    return decision;
  });
  return { runtime, clock: runtime.clock, turn, state, renewals };
}

/** Turn after turn, each with the claim that its predecessor's commit leads to. */
async function takeTurns(workflow: AnyWorkflow, afterMs = 0) {
  const runtime = runtimeOf({ workflows: [workflow] });
  const decisions: Decision[] = [];
  let run = claimedRun();
  for (let i = 0; i < 50; i++) {
    const decision = await takeWhole(runtime, { run, leaseUntil: runtime.clock.now() + LEASE_MS });
    if (decision === null) throw new Error("The turn was lost.");
    decisions.push(decision);
    if (decision.status !== "ready" && decision.status !== "waiting") return decisions;
    run = next(run, decision, afterMs);
  }
  throw new Error("The run was not over after 50 turns.");
}

describe("a turn", () => {
  test("performs no body where several could run: each becomes a branch", async () => {
    const body = () => expect.fail("performed");
    const runtime = runtimeOf({
      workflows: [
        workflowOf((step) => Promise.all([step.run("a", body), step.run("b", body), step.run("c", body)])),
      ],
    });
    const decision = await takeWhole(runtime, leased(runtime));
    expect(decision).toMatchObject({ status: "waiting", wakeAt: null, wakeInMs: null, entries: [] });
    expect(decision?.branches.map(({ key, askedAt, attempt }) => [key, askedAt, attempt])).toEqual([
      ["a", 0, 1],
      ["b", 0, 1],
      ["c", 0, 1],
    ]);
  });

  test("looks ahead, so that a run of n steps takes n turns", async () => {
    const decisions = await takeTurns(
      workflowOf(async (step) => {
        let sum = 0;
        for (let i = 1; i <= 6; i++) sum += await step.run("add", () => i);
        return sum;
      }),
    );
    expect(decisions.map(({ status, currentStep }) => [status, currentStep])).toEqual([
      ["ready", "add#2"],
      ["ready", "add#3"],
      ["ready", "add#4"],
      ["ready", "add#5"],
      ["ready", "add#6"],
      ["completed", "add#6"],
    ]);
    expect(decisions.at(-1)?.output?.json).toBe(21);
  });

  test("looks ahead to a sleep and begins it in the same commit", async () => {
    const [first] = await takeTurns(
      workflowOf(async (step) => {
        await step.run("a", () => 1);
        await step.sleep("nap", "1 day");
      }),
      DAY,
    );
    expect(first).toMatchObject({
      status: "waiting",
      wakeInMs: DAY,
      timers: [{ key: "nap", due: { inMs: DAY } }],
    });
  });

  test("ends sleeps, the earliest first, and still performs one step", async () => {
    const bodies: string[] = [];
    const runtime = runtimeOf({
      workflows: [
        workflowOf(async (step) => {
          const late = step.sleep("late", 2_000);
          const early = step.sleep("early", 1_000);
          await Promise.all([late, early]);
          await step.run("a", () => bodies.push("a"));
          await step.run("b", () => bodies.push("b"));
        }),
      ],
    });
    const timers = [
      { key: "late", begunAt: NOON - 60_000, dueAt: NOON - 1_000 },
      { key: "early", begunAt: NOON - 60_000, dueAt: NOON - 2_000 },
    ];
    const decision = await takeWhole(runtime, leased(runtime, { timers }));
    expect(decision?.entries.map(({ seq, key, kind }) => [seq, key, kind])).toEqual([
      [1, "early", "sleep"],
      [2, "late", "sleep"],
      [3, "a", "step"],
    ]);
    expect(decision?.endedTimers).toEqual(["early", "late"]);
    expect(bodies).toEqual(["a"]);
  });

  test("numbers its entries after those that are there, revivals too", async () => {
    const journal = [
      entryOf({ seq: 1, outcome: "failed", failure: failureOf("no"), attempt: 3 }),
      entryOf({
        seq: 2,
        kind: "revival",
        key: null,
        outcome: "revived",
        failure: { ...failureOf("no"), step: "a" },
      }),
    ];
    const runtime = runtimeOf({ workflows: [workflowOf((step) => step.run("a", ({ attempt }) => attempt))] });
    const decision = await takeWhole(runtime, leased(runtime, { journal }));
    expect(decision?.entries).toMatchObject([{ seq: 3, key: "a", attempt: 4, outcome: "completed" }]);
  });

  test("performs nothing while the next attempt is not due; beside another step both become branches", async () => {
    const body = () => expect.fail("performed");
    const journal = [entryOf({ outcome: "retrying", failure: failureOf("no"), retryAt: NOON + 1 })];
    const alone = runtimeOf({ workflows: [workflowOf((step) => step.run("a", body))] });
    expect(await takeWhole(alone, leased(alone, { journal }))).toMatchObject({
      status: "waiting",
      wakeAt: NOON + 1,
      entries: [],
    });
    const runtime = runtimeOf({
      workflows: [workflowOf((step) => Promise.all([step.run("a", body), step.run("b", body)]))],
    });
    expect(await takeWhole(runtime, leased(runtime, { journal }))).toMatchObject({
      status: "waiting",
      branches: [
        { key: "a", attempt: 2, spent: 1, due: { at: NOON + 1 } },
        { key: "b", attempt: 1, spent: 0, due: null },
      ],
    });
  });

  test("of a workflow that is not registered makes the run dead", async () => {
    const runtime = runtimeOf({ workflows: [workflowOf(async () => 1)] });
    expect(await takeWhole(runtime, leased(runtime, { version: 2 }))).toMatchObject({
      status: "dead",
      failure: { code: "workflow_not_found" },
    });
  });

  test("of code that disagrees with its journal makes the run dead, and performs nothing (I7)", async () => {
    const { turn } = perform(() => expect.fail("performed"), {
      run: { journal: [entryOf({ key: "other" })] },
    });
    expect(await turn).toMatchObject({ status: "dead", failure: { code: "journal_mismatch" }, entries: [] });
  });
});

describe("an attempt", () => {
  test("is journaled with its output and how long it took", async () => {
    const done = gate<string>();
    const { clock, turn } = perform(() => done.promise);
    await clock.advance(1_500);
    done.resolve("done");
    expect(await turn).toMatchObject({
      status: "completed",
      entries: [
        {
          key: "work",
          outcome: "completed",
          attempt: 1,
          output: { json: "done", meta: null },
          tookMs: 1_500,
        },
      ],
    });
  });

  test("that throws, at once or later, is followed by another after its delay", async () => {
    const thrower = () => {
      throw new RetryableError("busy", { retryAfter: 7_000 });
    };
    for (const body of [thrower, async () => thrower()]) {
      expect(await perform(body).turn).toMatchObject({
        status: "waiting",
        wakeInMs: 7_000,
        entries: [
          {
            outcome: "retrying",
            attempt: 1,
            retryInMs: 7_000,
            failure: { code: "retryable", message: "busy" },
          },
        ],
      });
    }
  });

  test("that asks for a date gets it by the database's time, not by this worker's (D9)", async () => {
    const at = new Date(NOON + 10_000);
    const failing = gate<never>();
    const { clock, turn } = perform(() => failing.promise);
    await clock.advance(4_000);
    failing.reject(new RetryableError("busy", { retryAfter: at }));
    expect((await turn)?.entries[0]?.retryInMs).toBe(6_000);
  });

  test("that was the last is a failure that the workflow sees in the same turn", async () => {
    const attempts = [1, 2].map((attempt) =>
      entryOf({
        seq: attempt,
        key: "work",
        attempt,
        outcome: "retrying",
        failure: failureOf("no"),
        retryAt: NOON,
      }),
    );
    expect(await perform(() => Promise.reject("no"), { run: { journal: attempts } }).turn).toMatchObject({
      status: "failed",
      failure: { code: "step_failed", step: "work" },
      entries: [{ seq: 3, outcome: "failed", attempt: 3, retryInMs: null }],
    });
  });

  test("whose output cannot be stored fails at once, naming the step (H3)", async () => {
    expect(await perform(() => ({ f: () => 1 })).turn).toMatchObject({
      status: "failed",
      entries: [
        {
          outcome: "failed",
          failure: {
            code: "unstorable_value",
            message: expect.stringContaining('The output of step "work"'),
          },
        },
      ],
    });
  });

  test("has the same idempotency key in every attempt, and no other step has it", async () => {
    const keys: string[] = [];
    const body = ({ idempotencyKey, attempt }: StepContext) => {
      keys.push(idempotencyKey);
      if (attempt === 1) throw new RetryableError("again", { retryAfter: 0 });
    };
    await takeTurns(
      workflowOf(async (step) => {
        for (const name of ["a b", "a b", "a%20b", "ä:#1".replace("#", "")]) await step.run(name, body);
      }),
    );
    expect(keys).toHaveLength(8);
    expect(keys.filter((_, i) => i % 2 === 0)).toEqual(keys.filter((_, i) => i % 2 === 1));
    expect(new Set(keys).size).toBe(4);
    for (const key of keys) expect(key).toMatch(/^run-1:[\x21-\x7e]+$/);
  });
});

describe("a step's timeout", () => {
  test("fences off a body that ignores its signal: whatever it gives later changes nothing (D10)", async () => {
    const late = gate<string>();
    let signal: AbortSignal | undefined;
    const { clock, turn, state } = perform(
      (context) => {
        signal = context.signal;
        return late.promise;
      },
      { options: { timeout: "5 s", retry: { maxAttempts: 1 } } },
    );
    await clock.advance(4_999);
    expect(state.decision).toBeUndefined();
    expect(signal?.aborted).toBe(false);
    await clock.advance(1);
    const decision = await turn;
    expect(signal?.reason).toBeInstanceOf(StepTimedOut);
    expect(decision).toMatchObject({
      status: "failed",
      entries: [{ outcome: "failed", failure: { code: "step_timed_out" } }],
    });
    const before = structuredClone(decision);
    late.resolve("too late");
    await settle();
    expect(decision).toEqual(before);
  });

  test("is a failure like any other: the step is tried again", async () => {
    const { clock, turn } = perform(() => new Promise(() => {}), { options: { timeout: 100 } });
    await clock.advance(100);
    expect(await turn).toMatchObject({ status: "waiting", entries: [{ outcome: "retrying" }] });
  });

  test("passed over by a body that is done in time leaves nothing behind", async () => {
    const { clock, turn } = perform(() => 1, { options: { timeout: 100 }, run: { deadlineAt: NOON + DAY } });
    await turn;
    await settle();
    expect(clock.asleep).toBe(0);
  });
});

describe("a run's deadline", () => {
  test("that has passed fails the run before any of its steps runs", async () => {
    const runtime = runtimeOf({
      workflows: [workflowOf((step) => step.run("a", () => expect.fail("performed")))],
    });
    expect(await takeWhole(runtime, leased(runtime, { deadlineAt: NOON }))).toMatchObject({
      status: "failed",
      failure: { code: "deadline_exceeded", message: expect.stringContaining("2026-01-01T12:00:00.000Z") },
      entries: [],
    });
  });

  test("that passes while a step runs ends its signal and the run, and keeps the sleeps that were over", async () => {
    let signal: AbortSignal | undefined;
    const runtime = runtimeOf({
      workflows: [
        workflowOf(async (step) => {
          await step.sleep("nap", 1);
          await step.run("work", (context) => {
            signal = context.signal;
            return new Promise(() => {});
          });
        }),
      ],
    });
    const run = {
      deadlineAt: NOON + 2_000,
      timers: [{ key: "nap", begunAt: NOON - 60_000, dueAt: NOON - 1 }],
    };
    const turn = takeWhole(runtime, leased(runtime, run));
    await runtime.clock.advance(2_000);
    expect(await turn).toMatchObject({
      status: "failed",
      failure: { code: "deadline_exceeded" },
      entries: [{ key: "nap", outcome: "completed" }],
    });
    expect(signal?.aborted).toBe(true);
  });

  test("cannot be caught and retried by the step it ends", async () => {
    const { clock, turn } = perform(
      ({ signal }) =>
        new Promise((_, reject) => signal.addEventListener("abort", () => reject(new Error("mine")))),
      { run: { deadlineAt: NOON + 1 } },
    );
    await clock.advance(1);
    expect(await turn).toMatchObject({
      status: "failed",
      failure: { code: "deadline_exceeded" },
      entries: [],
    });
  });
});

describe("a lease", () => {
  test("renews itself every third of its time while a step runs, with the turn's number", async () => {
    const done = gate();
    const { clock, turn, renewals } = perform(() => done.promise, { run: { turn: 7 } });
    await clock.advance(LEASE_MS / 3 - 1);
    expect(renewals).toHaveLength(0);
    await clock.advance(1);
    expect(renewals).toEqual([[{ tenant: "default", runId: "run-1" }, 7, LEASE_MS]]);
    await clock.advance(LEASE_MS);
    expect(renewals).toHaveLength(4);
    done.resolve();
    expect(await turn).toMatchObject({ status: "completed" });
    await clock.advance(10 * LEASE_MS);
    expect(renewals).toHaveLength(4);
    expect(clock.asleep).toBe(0);
  });

  test("that is lost ends the signal, and the turn writes nothing (I2)", async () => {
    let signal: AbortSignal | undefined;
    const late = gate<string>();
    const { clock, turn, renewals } = perform(
      (context) => {
        signal = context.signal;
        return late.promise;
      },
      { renewLease: async () => false },
    );
    await clock.advance(LEASE_MS / 3);
    expect(await turn).toBeNull();
    expect(signal?.reason).toBeInstanceOf(LeaseLost);
    late.resolve("too late");
    await clock.advance(LEASE_MS);
    expect(renewals).toHaveLength(1);
  });

  test("that is lost is not mistaken for a failure of the step, whatever the body throws then", async () => {
    const { clock, turn } = perform(
      ({ signal }) =>
        new Promise((_, reject) => signal.addEventListener("abort", () => reject(new Error("aborted")))),
      { renewLease: async () => false },
    );
    await clock.advance(LEASE_MS / 3);
    expect(await turn).toBeNull();
  });

  test("that cannot be renewed for the moment is not lost: it is reported and tried again", async () => {
    const done = gate();
    let renewals = 0;
    const { clock, turn, runtime } = perform(() => done.promise, {
      renewLease: async () => {
        renewals += 1;
        if (renewals === 1) throw new StoreUnavailable(new Error("down"));
        return true;
      },
    });
    await clock.advance(LEASE_MS);
    expect(runtime.reports).toEqual([
      "renewing a lease: The database does not answer at the moment. Try again.",
    ]);
    expect(renewals).toBe(3);
    done.resolve();
    expect(await turn).toMatchObject({ status: "completed" });
  });

  test("that ran out before the turn came to its step starts no step body (D2)", async () => {
    const runtime = runtimeOf({
      workflows: [workflowOf((step) => step.run("work", () => expect.fail("performed")))],
    });
    const leaseUntil = runtime.clock.now();
    expect(await takeWhole(runtime, { run: claimedRun(), leaseUntil })).toBeNull();
    const inTime = runtimeOf({ workflows: [workflowOf((step) => step.run("work", () => 1))] });
    expect(await takeWhole(inTime, { run: claimedRun(), leaseUntil: inTime.clock.now() + 1 })).toMatchObject({
      status: "completed",
    });
  });
});

describe("a heartbeat", () => {
  test("renews the lease now", async () => {
    const { turn, renewals } = perform(async ({ heartbeat }) => heartbeat(), { run: { turn: 3 } });
    expect(await turn).toMatchObject({ status: "completed" });
    expect(renewals).toEqual([[{ tenant: "default", runId: "run-1" }, 3, LEASE_MS]]);
  });

  test("rejects with LeaseLost when another invocation took over, even if the body goes on regardless", async () => {
    const caught: unknown[] = [];
    const { turn } = perform(
      async ({ heartbeat, signal }) => {
        await heartbeat().catch((error: unknown) => caught.push(error));
        caught.push(signal.aborted);
        return "as if nothing had happened";
      },
      { renewLease: async () => false },
    );
    expect(await turn).toBeNull();
    await settle();
    expect(caught).toEqual([expect.any(LeaseLost), true]);
  });

  test("rejects after the step's timeout, so that a loop of heartbeats ends", async () => {
    let beats = 0;
    const beat = gate();
    const { clock, turn } = perform(
      async ({ heartbeat }) => {
        for (;;) {
          await heartbeat();
          beats += 1;
          await beat.promise;
        }
      },
      { options: { timeout: 100 } },
    );
    await clock.advance(100);
    expect(await turn).toMatchObject({
      entries: [{ outcome: "retrying", failure: { code: "step_timed_out" } }],
    });
    beat.resolve();
    await settle();
    expect(beats).toBe(1);
  });

  test("that the database does not answer is no failure of the step", async () => {
    const { turn, runtime } = perform(
      async ({ heartbeat }) => {
        await heartbeat();
        return "done";
      },
      { renewLease: () => Promise.reject(new StoreUnavailable(new Error("down"))) },
    );
    expect(await turn).toMatchObject({ status: "completed", output: { json: "done" } });
    expect(runtime.reports).toHaveLength(1);
  });
});
