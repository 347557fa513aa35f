/** What takes no invocation of its own: values and effects, journaled once and the same in every replay. */
import { describe, expect, test } from "vitest";
import * as z from "zod";
import { defineWorkflow, type RunFacts, type Steps } from "../../src/engine/workflow.ts";
import { NOON, SimulatedRun, simulate, wander, workflowOf } from "../engine/support.ts";

describe("values", () => {
  test("are found once and the same in every replay, however time and chance go on", async () => {
    const seen: unknown[][] = [];
    const run = new SimulatedRun(
      workflowOf(async (step) => {
        seen.push([await step.now(), await step.random(), await step.uuid(), await step.random()]);
        await step.sleep("nap", 1_000);
      }),
    );
    let drawn = 0;
    Object.assign(run.runtime, { random: () => ++drawn / 10, uuid: () => `uuid ${++drawn}` });
    const { entries } = await run.turn();
    expect(entries.map(({ kind, key }) => [kind, key])).toEqual([
      ["value", "now"],
      ["value", "random"],
      ["value", "uuid"],
      ["value", "random#2"],
    ]);
    run.now += 1_000;
    expect(await run.turn()).toMatchObject({ status: "completed" });
    expect(seen[0]).toEqual([new Date(NOON), 0.1, "uuid 2", 0.3]);
    expect(seen[1]).toEqual(seen[0]);
  });

  test("need no turn of their own after a body", async () => {
    const { run } = await simulate(
      workflowOf(async (step) => {
        await step.run("a", () => 1);
        await step.uuid();
        await step.run("b", () => 2);
        return step.random();
      }),
    );
    expect(run.turns).toBe(2);
    expect(run.performed).toEqual(["a", "b"]);
  });

  test.each<[string, (step: Steps) => Promise<unknown>]>([
    ["a time", (step) => step.now()],
    ["a random number", (step) => step.random()],
    ["an id", (step) => step.uuid()],
    ["a hook", (step) => step.hook("h")],
    [
      "a child's id",
      (step) =>
        step.start(
          "child",
          workflowOf(async () => 1),
          null,
        ),
    ],
  ])("%s is journaled before a body can see it: the turn that finds it performs none", async (_, find) => {
    const run = new SimulatedRun(
      workflowOf(async (step) => {
        const found = await find(step);
        await step.run("a", () => JSON.stringify(found));
      }),
    );
    expect(await run.turn()).toMatchObject({ status: "ready", entries: [{ outcome: "completed" }] });
    expect(run.performed).toEqual([]);
    expect(await run.turn()).toMatchObject({ status: "completed" });
    expect(run.performed).toEqual(["a"]);
  });
});

describe("effects", () => {
  const effects = (work: (step: Steps, run: RunFacts) => Promise<unknown>) =>
    new SimulatedRun(defineWorkflow({ name: "test" }, ({ step, run }) => work(step, run)));

  test("are carried out by the commit that journals them, once", async () => {
    const run = effects(async (step, self) => {
      await step.emit("told", { type: "order.shipped", subject: "o-1", data: { n: 1 } });
      await step.emit("told", { type: "order.paid" });
      await self.join("vip");
      await self.set("progress", { done: 1 });
      await self.append("log", "a");
      await self.leave("vip");
      await step.sleep("nap", "1 day");
    });
    const decision = await run.turn();
    expect(decision.effects).toEqual([
      {
        kind: "emit",
        event: {
          id: "run-1/told",
          type: "order.shipped",
          subject: "o-1",
          data: { json: { n: 1 }, meta: null },
        },
      },
      { kind: "emit", event: { id: "run-1/told%232", type: "order.paid", subject: null, data: null } },
      { kind: "join", group: "vip" },
      { kind: "set", key: "progress", value: { json: { done: 1 }, meta: null } },
      { kind: "append", key: "log", value: { json: "a", meta: null } },
      { kind: "leave", group: "vip" },
    ]);
    expect(await run.turn()).toMatchObject({ effects: [], entries: [] });
  });

  test("of a turn that performs a step beside them are in the same commit", async () => {
    const run = effects(async (step) => {
      await step.emit("before", { type: "t" });
      await step.run("a", () => 1);
      await step.emit("after", { type: "t" });
    });
    expect(await run.turn()).toMatchObject({
      status: "completed",
      effects: [{ event: { id: "run-1/before" } }, { event: { id: "run-1/after" } }],
    });
  });

  test.each<[string, (step: Steps, run: RunFacts) => Promise<unknown>, string]>([
    ["an event without a type", (step) => step.emit("e", { type: "" }), "invalid_step"],
    ["an event of a type with a blank", (step) => step.emit("e", { type: "a b" }), "invalid_step"],
    [
      "an event without a subject's text",
      (step) => step.emit("e", { type: "t", subject: "" }),
      "invalid_step",
    ],
    [
      "data that cannot be stored",
      (step) => step.emit("e", { type: "t", data: () => 1 }),
      "unstorable_value",
    ],
    ["a group without a name", (_, run) => run.join(""), "invalid_step"],
    ["a group with #", (_, run) => run.join("a#b"), "invalid_step"],
    ["a key of 101 characters", (_, run) => run.set("k".repeat(101), 1), "invalid_step"],
    ["a state that cannot be stored", (_, run) => run.set("k", () => 1), "unstorable_value"],
    ["a signal with #", (step) => step.waitForSignal("x", { signal: "a#hook" }), "invalid_step"],
    ["a channel without a name", (step) => step.receive(""), "invalid_step"],
    ["a hook that expires never", (step) => step.hook("h", { expires: "soon" as "1 s" }), "invalid_duration"],
    [
      "a timeout that cannot be read",
      (step) => step.waitForSignal("x", { timeout: "soon" as "1 s" }),
      "invalid_duration",
    ],
    [
      "an input to go on with that cannot be stored",
      (step) => step.continueAsNew(() => 1),
      "unstorable_value",
    ],
  ])("%s is refused where it is called", async (_, call, code) => {
    const run = effects(call);
    expect(await run.turn()).toMatchObject({ status: "failed", failure: { code }, entries: [], effects: [] });
  });
});

describe("a loop of nothing but instants", () => {
  test("yields after two hundred, commits what it did, and goes on in the next turn (N1)", async () => {
    const run = new SimulatedRun(
      workflowOf(async (step) => {
        let last = 0;
        for (let i = 0; i < 450; i++) last = await step.random();
        return last;
      }),
    );
    expect(await run.turn()).toMatchObject({ status: "ready", wakeInMs: 0 });
    expect(run.journal).toHaveLength(200);
    await run.turn();
    expect(run.journal).toHaveLength(400);
    expect(await run.turn()).toMatchObject({ status: "completed" });
    expect(run.journal).toHaveLength(450);
  });

  test("that never ends does not keep its turn for ever", async () => {
    const run = new SimulatedRun(
      workflowOf(async (step) => {
        for (;;) await step.emit("tick", { type: "t" });
      }),
    );
    expect(await run.turn()).toMatchObject({ status: "ready" });
    expect(run.effects).toHaveLength(200);
  });

  test("does not perform a step before its instants are done", async () => {
    const run = new SimulatedRun(
      workflowOf((step) =>
        Promise.all([
          step.run("a", () => 1),
          (async () => {
            for (let i = 0; i < 300; i++) await step.uuid();
          })(),
        ]),
      ),
    );
    await run.turn();
    expect(run.performed).toEqual([]);
    expect(await run.finish()).toMatchObject({ status: "completed" });
    expect(run.performed).toEqual(["a"]);
  });
});

describe("a run that goes on as another", () => {
  const input = z.object({ round: z.number() });

  test("is completed, and its successor begins with the new input and nothing else", async () => {
    const workflow = defineWorkflow({ name: "test", version: 3, input }, async ({ input, step }) => {
      await step.run("work", () => 1);
      return step.continueAsNew({ round: input.round + 1 });
    });
    const run = new SimulatedRun(workflow, { round: 1 });
    expect(await run.turn()).toMatchObject({
      status: "completed",
      output: null,
      entries: [{ key: "work" }],
      successor: {
        workflow: "test",
        version: 3,
        input: { json: { round: 2 } },
        continuedFrom: "run-1",
        parent: null,
      },
    });
  });

  test("wins over what the function does after it", async () => {
    for (const after of [
      async () => "returned",
      () => Promise.reject(new Error("thrown")),
      async (step: Steps) => step.run("more", () => expect.fail("performed")),
      async (step: Steps) => step.continueAsNew("again"),
    ]) {
      const run = new SimulatedRun(
        workflowOf(async (step, given) => {
          if (given !== null) return given;
          step.continueAsNew("next");
          return after(step);
        }),
      );
      expect(await run.turn()).toMatchObject({ status: "completed", successor: { input: { json: "next" } } });
      expect(run.performed).toEqual([]);
    }
  });

  test("does not win over a return or a throw that came before", async () => {
    const { decision } = await simulate(
      workflowOf(async (step) => {
        wander(20).then(() => step.continueAsNew("late"));
        return "first";
      }),
    );
    expect(decision).toMatchObject({ status: "completed", successor: null, output: { json: "first" } });
  });

  test("with an input that its workflow refuses has failed, and says what does not fit", async () => {
    const workflow = defineWorkflow({ name: "test", input }, ({ step }) =>
      step.continueAsNew({ round: "two" }),
    );
    expect((await simulate(workflow, { round: 1 })).decision).toMatchObject({
      status: "failed",
      successor: null,
      failure: { code: "invalid_input", message: expect.stringContaining("round: ") },
    });
  });
});
