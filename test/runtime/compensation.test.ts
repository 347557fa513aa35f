/** Verdicts: a run that fails, passes its deadline or is cancelled undoes what it did. */
import { describe, expect, test } from "vitest";
import * as z from "zod";
import { NonRetryableError } from "../../src/engine/errors.ts";
import {
  type CompensationContext,
  defineWorkflow,
  type StepOptions,
  type Steps,
} from "../../src/engine/workflow.ts";
import { byChance, endingIn, NOON, SimulatedRun, simulate, workflowOf } from "../engine/support.ts";
import type { TestClock } from "./support.ts";

const HOUR = 3_600_000;
const once = { retry: { maxAttempts: 1 } };
const refuse = () => Promise.reject(new Error("no"));

/** A step that notes its own undoing. */
function undoing(undone: unknown[]) {
  return <T>(step: Steps, name: string, output: T, more: StepOptions<T> = {}) =>
    step.run(name, () => output, {
      ...more,
      compensate: ({ output: given }: CompensationContext<T>) => void undone.push([name, given]),
    });
}

describe("a run that fails", () => {
  test("undoes what it did, the last that completed first, one compensator in each turn", async () => {
    const undone: unknown[] = [];
    const book = undoing(undone);
    const run = new SimulatedRun(
      workflowOf(async (step) => {
        await book(step, "flight", 1);
        await step.run("no need to undo", () => 2);
        await book(step, "hotel", 3);
        await step.run("pay", refuse, once);
      }),
    );
    for (let i = 0; i < 3; i++) await run.turn();
    expect(await run.turn()).toMatchObject({
      status: "ready",
      failure: null,
      verdict: { status: "failed", failure: { code: "step_failed", step: "pay" } },
      currentStep: "hotel#compensation",
    });
    expect(await run.turn()).toMatchObject({
      status: "ready",
      entries: [{ kind: "compensation", key: "hotel#compensation", outcome: "completed" }],
    });
    expect(await run.turn()).toMatchObject({
      status: "failed",
      failure: { step: "pay" },
      entries: [{ key: "flight#compensation" }],
      failedCompensations: 0,
    });
    expect(undone).toEqual([
      ["hotel", 3],
      ["flight", 1],
    ]);
  });

  test("undoes in the reverse order of completion, not of declaration, whichever branch was first", async () => {
    for (const order of [
      ["a", "b", "c"],
      ["b", "c", "a"],
      ["c", "b", "a"],
    ]) {
      const undone: unknown[] = [];
      const book = undoing(undone);
      const run = new SimulatedRun(
        workflowOf(async (step) => {
          await Promise.all(["a", "b", "c"].map((name) => book(step, name, name)));
          throw new Error("too late");
        }),
        null,
        endingIn(...order),
      );
      expect(await run.finish()).toMatchObject({ status: "failed", failure: { message: "too late" } });
      expect(undone.map((what) => (what as string[])[0])).toEqual(order.toReversed());
    }
  });

  test("undoes the items of a map, those too that ended after another had failed it", async () => {
    const undone: number[] = [];
    const run = new SimulatedRun(
      workflowOf((step) =>
        step.map("m", [0, 1, 2, 3], (n) => (n === 1 ? refuse() : n), {
          ...once,
          concurrency: 3,
          compensate: ({ output }) => void undone.push(output as number),
        }),
      ),
    );
    await run.turn();
    await run.perform("m[0]");
    await run.begin("m[2]");
    await run.perform("m[1]");
    expect(await run.turn()).toMatchObject({
      status: "waiting",
      wakeAt: null,
      verdict: { status: "failed" },
    });
    run.deliver("m[2]");
    expect(await run.finish()).toMatchObject({ status: "failed" });
    expect(undone).toEqual([2, 0]);
  });

  test("undoes the items of a map that ended together with the one that failed it", async () => {
    const undone: number[] = [];
    const run = new SimulatedRun(
      workflowOf((step) =>
        step.map("m", [0, 1, 2], (n) => (n === 0 ? refuse() : n), {
          ...once,
          compensate: ({ output }) => void undone.push(output as number),
        }),
      ),
    );
    await run.turn();
    for (const key of ["m[0]", "m[2]", "m[1]"]) await run.perform(key);
    expect(await run.finish()).toMatchObject({ status: "failed", failure: { step: "m[0]" } });
    expect(undone).toEqual([1, 2]);
  });

  test("without anything to undo has failed at once, and never counts as one that compensates", async () => {
    const { decision, run } = await simulate(
      workflowOf(async (step) => {
        await step.run("a", () => 1);
        await step.run("b", refuse, once);
      }),
    );
    expect(decision).toMatchObject({ status: "failed", verdict: null, failure: { step: "b" } });
    expect(run.turns).toBe(2);
  });

  test.each<[string, (step: Steps) => Promise<unknown>, string]>([
    ["returns what cannot be stored", async () => () => "a function", "unstorable_value"],
    ["goes on with what its workflow refuses", (step) => step.continueAsNew("no number"), "invalid_input"],
  ])("because it %s undoes what it did", async (_, end, code) => {
    const undone: unknown[] = [];
    const book = undoing(undone);
    const workflow = defineWorkflow({ name: "test", input: z.number() }, async ({ step }) => {
      await book(step, "flight", 1);
      return end(step);
    });
    expect((await simulate(workflow, 7)).decision).toMatchObject({
      status: "failed",
      failure: { code },
      successor: null,
      output: null,
    });
    expect(undone).toEqual([["flight", 1]]);
  });

  test("that catches the failure undoes nothing", async () => {
    const undone: unknown[] = [];
    const book = undoing(undone);
    const { decision } = await simulate(
      workflowOf(async (step) => {
        await book(step, "flight", 1);
        return step.run("pay", refuse, once).catch(() => "on account");
      }),
    );
    expect(decision).toMatchObject({ status: "completed", output: { json: "on account" } });
    expect(undone).toEqual([]);
  });

  test("does not undo a step that failed itself", async () => {
    const { run } = await simulate(
      workflowOf((step) => step.run("a", refuse, { ...once, compensate: () => expect.fail("undone") })),
    );
    expect(run.performed).toEqual(["a"]);
  });

  test("never performs a step and a compensator in one turn", async () => {
    const perTurn: number[] = [];
    const book = undoing([]);
    const run = new SimulatedRun(
      workflowOf(async (step) => {
        await book(step, "a", 1);
        await book(step, "b", 1);
        throw new Error("no");
      }),
    );
    while (run.status !== "failed") {
      const before = run.performed.length;
      await run.turn();
      perTurn.push(run.performed.length - before);
    }
    expect(perTurn).toEqual([1, 1, 1, 1]);
  });

  test("undoes a repeated step as often as it was done, each with its own output and its own key", async () => {
    const undone: unknown[] = [];
    await simulate(
      workflowOf(async (step) => {
        const compensate = ({ output, idempotencyKey }: CompensationContext<number>) =>
          void undone.push([output, idempotencyKey]);
        for (const n of [1, 2]) await step.run("a", () => n, { compensate });
        throw new Error("no");
      }),
    );
    expect(undone).toEqual([
      [2, "run-1:a%232%23compensation"],
      [1, "run-1:a%23compensation"],
    ]);
  });
});

describe("a compensator", () => {
  const failing = (attemptsNeeded: number) => {
    const attempts: number[] = [];
    const work = workflowOf(async (step) => {
      await step.run("first", () => 1, { compensate: () => void attempts.push(0) });
      await step.run("last", () => 2, {
        compensate: ({ attempt }) => {
          attempts.push(attempt);
          if (attempt < attemptsNeeded) throw new Error("not yet");
        },
      });
      throw new Error("no");
    });
    return { attempts, run: new SimulatedRun(work) };
  };

  test("that fails is tried again, after its delay, and the earlier ones wait for it", async () => {
    const { attempts, run } = failing(3);
    for (let i = 0; i < 2; i++) await run.turn();
    expect(await run.turn()).toMatchObject({
      status: "waiting",
      entries: [{ kind: "compensation", key: "last#compensation", outcome: "retrying", attempt: 1 }],
      wakeInMs: expect.any(Number),
    });
    expect(attempts).toEqual([1]);
    expect(await run.turn()).toMatchObject({ status: "waiting", entries: [] });
    expect(await run.finish()).toMatchObject({ status: "failed", failedCompensations: 0 });
    expect(attempts).toEqual([1, 2, 3, 0]);
  });

  test("that fails for good is recorded and counted, and the others go on", async () => {
    const { attempts, run } = failing(99);
    expect(await run.finish()).toMatchObject({
      status: "failed",
      failure: { message: "no" },
      failedCompensations: 1,
    });
    expect(attempts).toEqual([1, 2, 3, 0]);
    expect(run.journal.at(-2)).toMatchObject({ key: "last#compensation", outcome: "failed", attempt: 3 });
  });

  test("that says so is not tried again", async () => {
    const run = new SimulatedRun(
      workflowOf(async (step) => {
        await step.run("a", () => 1, { compensate: () => Promise.reject(new NonRetryableError("never")) });
        throw new Error("no");
      }),
    );
    expect(await run.finish()).toMatchObject({ status: "failed", failedCompensations: 1 });
    expect(run.performed).toEqual(["a", "a#compensation"]);
  });

  test("is given the output as a replay gives it, and can be read from it with dates as dates", async () => {
    const seen: unknown[] = [];
    await simulate(
      workflowOf(async (step) => {
        await step.run("a", () => ({ z: new Date(0), a: 1 }), {
          compensate: ({ output }) => void seen.push(output),
        });
        throw new Error("no");
      }),
    );
    expect(seen).toEqual([{ a: 1, z: new Date(0) }]);
    expect(Object.keys(seen[0] as object)).toEqual(["a", "z"]);
  });
});

describe("a deadline", () => {
  test("that passes has the run undo what it did, and no compensator is cut off by it", async () => {
    const undone: unknown[] = [];
    const run: SimulatedRun = new SimulatedRun(
      workflowOf(async (step) => {
        await step.run("flight", () => 1, {
          compensate: async ({ output, signal }) => {
            // Time goes on while it runs.
            await (run.runtime.clock as TestClock).advance(1_000);
            undone.push(["flight", output, signal.aborted]);
          },
        });
        await step.sleep("nap", "1 day");
      }),
    );
    run.deadlineAt = NOON + HOUR;
    await run.turn();
    expect([run.status, run.wakeAt]).toEqual(["waiting", NOON + HOUR]);
    run.now += HOUR;
    expect(await run.turn()).toMatchObject({
      status: "failed",
      failure: { code: "deadline_exceeded" },
      verdict: { status: "failed" },
      entries: [{ key: "flight#compensation", outcome: "completed" }],
    });
    expect(undone).toEqual([["flight", 1, false]]);
  });

  test("does not fail a run that was done in time, nor one that is done at that moment", async () => {
    const run = new SimulatedRun(workflowOf((step) => step.sleep("nap", "1 hour")));
    run.deadlineAt = NOON + HOUR;
    await run.turn();
    run.now += HOUR;
    expect(await run.turn()).toMatchObject({ status: "completed" });
  });
});

describe("a run that is cancelled with compensation", () => {
  test("undoes what it did, takes nothing else, and is cancelled then", async () => {
    const undone: unknown[] = [];
    const book = undoing(undone);
    const run = new SimulatedRun(
      workflowOf(async (step) => {
        await book(step, "a", 1);
        await book(step, "b", 2);
        await step.waitForSignal("go");
        await step.run("after", () => expect.fail("performed"));
      }),
    );
    await run.settle();
    run.signal("go");
    run.cancel();
    expect(await run.finish()).toMatchObject({ status: "cancelled", failure: null });
    expect(run.journal.map(({ key }) => key)).toEqual(["a", "b", "b#compensation", "a#compensation"]);
    expect(undone).toEqual([
      ["b", 2],
      ["a", 1],
    ]);
  });

  test("with nothing to undo is cancelled in one turn, and its verdict is no compensation's", async () => {
    const run = new SimulatedRun(workflowOf((step) => step.sleep("nap", "1 day")));
    await run.turn();
    run.cancel();
    expect(await run.turn()).toMatchObject({ status: "cancelled", endedTimers: ["nap"] });
  });

  test("waits for a step that can be undone and is under way, and undoes it", async () => {
    const undone: unknown[] = [];
    const book = undoing(undone);
    const run = new SimulatedRun(
      workflowOf((step) =>
        Promise.all([book(step, "busy", 1), book(step, "idle", 2), book(step, "done", 3)]),
      ),
    );
    await run.turn();
    await run.perform("done");
    await run.turn();
    await run.begin("busy");
    run.cancel();
    expect(await run.turn()).toMatchObject({
      status: "waiting",
      wakeAt: null,
      wakeInMs: null,
      endedBranches: ["idle"],
    });
    expect(run.branches.map(({ key }) => key)).toEqual(["busy"]);
    expect(undone).toEqual([]);
    run.deliver("busy");
    expect(await run.finish()).toMatchObject({ status: "cancelled" });
    expect(undone).toEqual([
      ["busy", 1],
      ["done", 3],
    ]);
  });

  test("goes on when the step it waited for lost its invocation", async () => {
    const undone: unknown[] = [];
    const book = undoing(undone);
    const run = new SimulatedRun(
      workflowOf((step) => Promise.all([book(step, "busy", 1), book(step, "done", 3)])),
    );
    await run.turn();
    await run.perform("done");
    await run.begin("busy");
    run.cancel();
    await run.turn();
    run.loseBranch("busy");
    expect(await run.finish()).toMatchObject({ status: "cancelled" });
    expect(undone).toEqual([["done", 3]]);
  });

  test("does not wait for a step that cannot be undone, and what it gives is dropped", async () => {
    const run = new SimulatedRun(
      workflowOf((step) => Promise.all([step.run("a", () => 1), step.run("b", () => 2)])),
    );
    await run.turn();
    await run.begin("a");
    run.cancel();
    expect(await run.turn()).toMatchObject({ status: "cancelled" });
    run.deliver("a");
    expect(run.inbox).toEqual([]);
  });
});

describe("a failure beside a step that is under way", () => {
  test.each([
    ["completes", ["slow"]],
    ["fails", []],
  ] as const)("waits for it: one that %s", async (how, expected) => {
    const undone: string[] = [];
    const run = new SimulatedRun(
      workflowOf((step) =>
        Promise.all([
          step.run("slow", () => (how === "fails" ? refuse() : 1), {
            ...once,
            compensate: () => void undone.push("slow"),
          }),
          step.run("bad", refuse, once),
        ]),
      ),
    );
    await run.turn();
    await run.begin("slow");
    await run.perform("bad");
    expect(await run.turn()).toMatchObject({ status: "waiting", wakeAt: null, wakeInMs: null });
    run.deliver("slow");
    expect(await run.finish()).toMatchObject({ status: "failed", failure: { step: "bad" } });
    expect(undone).toEqual(expected);
  });

  test("that was idle at the claim and begins while the verdict is found is undone all the same", async () => {
    const undone: string[] = [];
    const run = new SimulatedRun(
      workflowOf((step) =>
        Promise.all([
          step.run("slow", () => 1, { compensate: () => void undone.push("slow") }),
          step.run("bad", refuse, once),
        ]),
      ),
    );
    await run.turn();
    await run.perform("bad");
    const verdict = await run.take();
    await run.begin("slow");
    run.commit(verdict);
    expect(await run.turn()).toMatchObject({ status: "waiting", wakeAt: null });
    run.deliver("slow");
    expect(await run.finish()).toMatchObject({ status: "failed", failure: { step: "bad" } });
    expect(undone).toEqual(["slow"]);
  });

  test("that never began leaves nothing to undo: the run has failed, and compensates nothing", async () => {
    const run = new SimulatedRun(
      workflowOf((step) =>
        Promise.all([
          step.run("idle", () => expect.fail("performed"), { compensate: () => expect.fail("undone") }),
          step.run("bad", refuse, once),
        ]),
      ),
    );
    await run.turn();
    await run.perform("bad");
    await run.turn();
    expect(await run.turn()).toMatchObject({ status: "failed", verdict: null });
  });

  test("undoes everything once, whatever the schedule", async () => {
    for (let seed = 1; seed <= 300; seed++) {
      const done: string[] = [];
      const undone: string[] = [];
      const run = new SimulatedRun(
        workflowOf((step) =>
          Promise.all(
            ["a", "b", "c", "bad", "e"].map((name) =>
              step.run(name, () => (name === "bad" ? refuse() : void done.push(name)), {
                ...once,
                compensate: () => void undone.push(name),
              }),
            ),
          ),
        ),
        null,
        byChance(seed),
      );
      expect(await run.finish(), `seed ${seed}`).toMatchObject({
        status: "failed",
        failure: { step: "bad" },
      });
      expect(undone.toSorted(), `seed ${seed}`).toEqual(done.toSorted());
    }
  });
});
