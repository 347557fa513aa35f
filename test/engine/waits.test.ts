/** What a run waits for besides time: signals, hooks, messages, children. */
import { describe, expect, test } from "vitest";
import * as z from "zod";
import { ChildFailed, StepFailed } from "../../src/engine/errors.ts";
import { defineWorkflow, type Hook, type Steps } from "../../src/engine/workflow.ts";
import { failureOf, NOON, SimulatedRun, workflowOf } from "./support.ts";

const HOUR = 3_600_000;
const go = (step: Steps) => step.waitForSignal("go");

/** A run that has taken its first turn. */
async function begun<T>(work: (step: Steps) => Promise<T>): Promise<SimulatedRun> {
  const run = new SimulatedRun(workflowOf(work));
  await run.turn();
  return run;
}

describe("a wait for a signal", () => {
  test("parks the run without a time, and gives what arrives", async () => {
    const run = await begun(go);
    expect(run.last).toMatchObject({
      status: "waiting",
      wakeAt: null,
      wakeInMs: null,
      waits: [{ key: "go", kind: "signal", name: "go", due: null }],
    });
    run.signal("go", { at: new Date(0) });
    expect(await run.turn()).toMatchObject({
      status: "completed",
      output: { json: { at: "1970-01-01T00:00:00.000Z" } },
      entries: [{ kind: "signal", key: "go", outcome: "completed" }],
      endedWaits: ["go"],
      consumed: [{ id: 1, key: "go" }],
    });
  });

  test("takes a signal that came before it, in the turn that asks (F3)", async () => {
    const run = new SimulatedRun(
      workflowOf(async (step) => {
        await step.run("a", () => 1);
        return go(step);
      }),
    );
    run.signal("go", "early");
    expect(await run.turn()).toMatchObject({
      status: "completed",
      output: { json: "early" },
      waits: [],
      endedWaits: [],
    });
  });

  test("takes one that arrives while its turn runs: the commit leaves the run ready (I4)", async () => {
    const run = new SimulatedRun(workflowOf(go));
    const decision = await run.take();
    expect(decision).toMatchObject({ status: "waiting", entries: [] });
    run.signal("go", "meanwhile");
    run.commit(decision);
    expect([run.status, run.wakeAt]).toEqual(["ready", NOON]);
    expect(await run.turn()).toMatchObject({ status: "completed", output: { json: "meanwhile" } });
  });

  test("leaves what is meant for another, and keeps it for a wait that comes later", async () => {
    const run = await begun(async (step) => {
      const first = await go(step);
      await step.run("between", () => null);
      return [first, await step.waitForSignal("later")];
    });
    run.signal("later", 2);
    expect(await run.turn()).toMatchObject({ status: "waiting", consumed: [] });
    run.signal("go", 1);
    expect(await run.turn()).toMatchObject({ status: "completed", output: { json: [1, 2] } });
  });

  test("under one signal takes in the order of asking, one signal each, whatever the steps are called", async () => {
    const run = await begun((step) =>
      Promise.all([
        step.waitForSignal("first", { signal: "go" }),
        step.waitForSignal("go"),
        step.waitForSignal("third", { signal: "go" }),
      ]),
    );
    for (const payload of ["a", "b"]) run.signal("go", payload);
    await run.turn();
    expect(run.journal.map(({ key, output }) => [key, output?.json])).toEqual([
      ["first", "a"],
      ["go", "b"],
    ]);
    run.signal("go", "c");
    expect(await run.turn()).toMatchObject({ output: { json: ["a", "b", "c"] } });
  });

  test("in a loop takes one after the other, in the order of arrival, each once (I5, F4)", async () => {
    const run = new SimulatedRun(
      workflowOf(async (step) => {
        const seen: unknown[] = [];
        while (seen.length < 4) seen.push(await go(step));
        return seen;
      }),
    );
    for (const n of [1, 2, 3, 4, 5]) run.signal("go", n);
    expect(await run.turn()).toMatchObject({
      status: "completed",
      output: { json: [1, 2, 3, 4] },
      consumed: [1, 2, 3, 4].map((id) => ({ id })),
    });
  });

  test("gives undefined for a signal without a payload, and null for null", async () => {
    const seen: unknown[] = [];
    const run = await begun(async (step) => {
      seen.splice(0, 2, await go(step), await go(step));
    });
    run.signal("go");
    run.signal("go", null);
    await run.turn();
    expect(seen).toEqual([undefined, null]);
  });
});

describe("a wait with a timeout", () => {
  const timed = (step: Steps) => step.waitForSignal("go", { timeout: "1 hour" });

  test("gives null when the time is up", async () => {
    const run = await begun(timed);
    expect(run.last).toMatchObject({ status: "waiting", wakeInMs: HOUR });
    run.now += HOUR - 1;
    expect(await run.turn()).toMatchObject({ status: "waiting", wakeAt: NOON + HOUR, waits: [] });
    run.now += 1;
    expect(await run.turn()).toMatchObject({
      status: "completed",
      output: { json: null },
      entries: [{ kind: "signal", key: "go", outcome: "timed_out" }],
      endedWaits: ["go"],
    });
    run.status = "ready";
    expect(await run.plan()).toMatchObject({ state: "finished", output: null });
  });

  test.each([
    ["before the time is up", HOUR - 1, "in time"],
    ["in the very millisecond", HOUR, "in time"],
    ["a millisecond late", HOUR + 1, null],
  ])("that is answered %s", async (_, after, output) => {
    const run = await begun(timed);
    run.now += after;
    run.signal("go", "in time");
    run.now = NOON + 9 * HOUR;
    expect(await run.turn()).toMatchObject({ status: "completed" });
    expect(run.last?.output?.json).toBe(output);
  });

  test("leaves a signal that comes too late to the next wait", async () => {
    const run = await begun(async (step) => [await timed(step), await go(step)]);
    run.now += HOUR + 1;
    run.signal("go", "late");
    expect(await run.turn()).toMatchObject({ output: { json: [null, "late"] } });
  });

  test("takes what is over in the order of the times, sleeps and signals mixed", async () => {
    const run = await begun(async (step) => {
      const seen: string[] = [];
      const note = (what: string) => () => seen.push(what);
      await Promise.all([
        step.sleep("long", 3_000).then(note("long")),
        step.waitForSignal("b", { timeout: 2_000 }).then(note("b gave up")),
        step.sleep("short", 1_000).then(note("short")),
        step.waitForSignal("a").then(note("a arrived")),
      ]);
      return seen;
    });
    run.now += 2_500;
    run.signal("a");
    run.now += 1_000;
    expect(await run.turn()).toMatchObject({
      output: { json: ["short", "b gave up", "a arrived", "long"] },
    });
  });
});

describe("a wait with a schema", () => {
  const schema = z.object({ n: z.string().transform(Number) });

  test("gives what the schema makes of it, the same in a replay", async () => {
    const run = await begun(async (step) => {
      const { n } = await step.waitForSignal("go", { schema });
      await step.sleep("nap", 1);
      return n + 1;
    });
    run.signal("go", { n: "41", more: true });
    await run.turn();
    expect(run.journal[0]).toMatchObject({ output: { json: { n: 41 } } });
    run.now += 1;
    expect(await run.turn()).toMatchObject({ output: { json: 42 } });
  });

  test("rejects what does not fit, naming step and place; the signal is used up and the workflow may catch it", async () => {
    const run = await begun(async (step) => {
      const caught = await step.waitForSignal("go", { schema }).catch((error: unknown) => error);
      expect(caught).toBeInstanceOf(StepFailed);
      const { n } = await step.waitForSignal("go", { schema });
      return [(caught as StepFailed).message, n];
    });
    run.signal("go", { n: 1 });
    await run.turn();
    expect(run.journal).toMatchObject([
      { key: "go", outcome: "failed", failure: { code: "invalid_payload" } },
    ]);
    run.signal("go", { n: "2" });
    const { output } = await run.turn();
    expect(output?.json).toEqual([
      expect.stringContaining('What arrived for step "go" does not fit its schema: n: '),
      2,
    ]);
  });
});

describe("a hook", () => {
  test("has an address that every replay gives again, of which only a digest is stored", async () => {
    const urls: string[] = [];
    const run = new SimulatedRun(
      workflowOf(async (step) => {
        const hook = await step.hook("payment", { expires: "2 days" });
        urls.push(hook.url);
        return hook.received();
      }),
    );
    expect(await run.turn()).toMatchObject({
      status: "waiting",
      entries: [{ kind: "hook", key: "payment", output: null }],
      effects: [{ kind: "hook", key: "payment", digest: "run-1/payment", expiresInMs: 172_800_000 }],
      waits: [{ key: "payment received", kind: "signal", name: "payment#hook" }],
    });
    run.signal("payment#hook", { paid: true });
    expect(await run.turn()).toMatchObject({
      status: "completed",
      output: { json: { paid: true } },
      effects: [],
    });
    expect(urls).toEqual(["/hooks/run-1/payment", "/hooks/run-1/payment"]);
  });

  test("of a name that is used twice is two hooks, and nobody's signal can stand in for a post", async () => {
    const run = new SimulatedRun(
      workflowOf(async (step) => {
        const [a, b]: Hook[] = await Promise.all([step.hook("h"), step.hook("h")]);
        return Promise.all([a?.received(), b?.received({ timeout: "1 hour" })]);
      }),
    );
    await run.turn();
    expect(run.effects).toMatchObject([{ key: "h" }, { key: "h#2" }]);
    run.signal("h", "forged");
    expect(await run.turn()).toMatchObject({ status: "waiting", consumed: [] });
    run.signal("h#2#hook", "second");
    run.signal("h#hook", "first");
    expect(await run.turn()).toMatchObject({ output: { json: ["first", "second"] } });
  });
});

describe("a channel", () => {
  test("is subscribed to by a step, and what it has for the run arrives at the wait", async () => {
    const asked: unknown[][] = [];
    const run = new SimulatedRun(
      workflowOf(async (step) => {
        await step.subscribe("news", { mode: "competing" });
        const first = await step.receive("news");
        await step.publish("replies", { to: first }, { to: "run-9" });
        await step.unsubscribe("news");
        return first;
      }),
    );
    Object.assign(run.runtime.store, {
      subscribe: async (...given: unknown[]) => void asked.push(["subscribe", ...given]),
      unsubscribe: async (...given: unknown[]) => void asked.push(["unsubscribe", ...given]),
      publish: async (...given: unknown[]) => void asked.push(["publish", ...given]),
      matchMessages: async () => [],
    });
    expect(await run.turn()).toMatchObject({
      status: "waiting",
      entries: [{ kind: "subscribe", key: "subscribe news" }],
      waits: [{ key: "receive news", kind: "message", name: "news" }],
    });
    run.message("receive news", "hello");
    expect(await run.finish()).toMatchObject({ status: "completed", output: { json: "hello" } });
    const ref = { tenant: "default", runId: "run-1" };
    expect(asked).toEqual([
      ["subscribe", ref, "news", "competing"],
      [
        "publish",
        "default",
        {
          id: "run-1:publish%20replies",
          channel: "replies",
          payload: { json: { to: "hello" }, meta: null },
          to: "run-9",
        },
      ],
      ["unsubscribe", ref, "news"],
    ]);
  });
});

describe("a child", () => {
  const child = defineWorkflow({ name: "child", input: z.object({ n: z.number() }) }, async () => "unused");
  const parentOf = (work: (step: Steps) => Promise<unknown>) =>
    new SimulatedRun(workflowOf(work), null, undefined, [child]);
  const invoke = (step: Steps) => step.invoke("ask", child, { n: 1 }, { tags: ["t"], deadline: "1 hour" });

  test("is started by the commit that begins the wait for it, and gives what it returned", async () => {
    const run = parentOf(invoke);
    const decision = await run.turn();
    expect(decision.effects).toMatchObject([
      {
        kind: "start",
        run: {
          workflow: "child",
          input: { json: { n: 1 } },
          tags: ["t"],
          deadlineInMs: HOUR,
          parent: { runId: "run-1", key: "ask" },
        },
      },
    ]);
    const [start] = decision.effects;
    const id = start?.kind === "start" ? start.run.id : "";
    expect(decision.waits).toEqual([{ key: "ask", kind: "child", name: id, due: null }]);
    expect(await run.turn()).toMatchObject({ status: "waiting", effects: [], waits: [] });
    run.endChild("ask", "completed", { output: { a: 1 } });
    expect(await run.turn()).toMatchObject({ status: "completed", output: { json: { a: 1 } } });
  });

  test.each([
    ["failed", "The child run run-1 failed: no", failureOf("no")],
    ["cancelled", "The child run run-1 was cancelled", undefined],
    ["dead", "The child run run-1 died: no", failureOf("no")],
  ] as const)(
    "that %s rejects with ChildFailed, which the workflow may catch",
    async (outcome, message, failure) => {
      const seen: unknown[] = [];
      const run = parentOf(async (step) => {
        const error = await invoke(step).catch((caught: unknown) => caught);
        expect(error).toBeInstanceOf(ChildFailed);
        const { step: key, status, runId, cause } = error as ChildFailed;
        seen.push([key, status, runId, (error as Error).message, (cause as Error | undefined)?.message]);
        await step.sleep("nap", 1);
        return "went on";
      });
      await run.turn();
      run.endChild("ask", outcome, failure === undefined ? {} : { failure });
      expect(await run.finish()).toMatchObject({ status: "completed", output: { json: "went on" } });
      expect(seen[0]).toEqual(["ask", outcome, "run-1", message, failure?.message]);
      expect(seen[1]).toEqual(seen[0]);
    },
  );

  test("whose end nobody catches is the run's failure", async () => {
    const run = parentOf(invoke);
    await run.turn();
    run.endChild("ask", "failed", { failure: failureOf("no") });
    expect(await run.turn()).toMatchObject({
      status: "failed",
      failure: { code: "child_failed", cause: { message: "no" } },
    });
  });

  test("that cannot be started fails its step, in the turn that asks, and can be caught", async () => {
    const stranger = defineWorkflow({ name: "stranger" }, async () => 1);
    for (const [call, code] of [
      [(step: Steps) => step.invoke("ask", child, { n: "one" } as never), "invalid_input"],
      [(step: Steps) => step.invoke("ask", stranger, null), "workflow_not_found"],
      [(step: Steps) => step.start("ask", stranger, null), "workflow_not_found"],
    ] as const) {
      const run = parentOf(async (step) => {
        const error = (await call(step).catch((caught: unknown) => caught)) as StepFailed;
        expect(error).toBeInstanceOf(StepFailed);
        return error.failure.code;
      });
      expect(await run.turn()).toMatchObject({ status: "completed", output: { json: code }, effects: [] });
    }
  });

  test("can be one of many, each started once and each given its own end", async () => {
    const run = parentOf((step) => Promise.all([1, 2, 3].map((n) => step.invoke("ask", child, { n }))));
    await run.turn();
    expect(run.effects.map((effect) => effect.kind === "start" && effect.run.input.json)).toEqual([
      { n: 1 },
      { n: 2 },
      { n: 3 },
    ]);
    for (const [key, output] of [
      ["ask#3", "c"],
      ["ask", "a"],
      ["ask#2", "b"],
    ] as const) {
      run.endChild(key, "completed", { output });
      await run.turn();
    }
    expect(run.last).toMatchObject({ status: "completed", output: { json: ["a", "b", "c"] } });
    expect(run.effects).toHaveLength(3);
  });

  test("is thought of once, whatever else its turn takes", async () => {
    const run = parentOf((step) => Promise.all([invoke(step), go(step), step.uuid()]));
    let ids = 0;
    Object.assign(run.runtime, { newRunId: () => `child-${++ids}` });
    run.signal("go");
    expect(await run.turn()).toMatchObject({
      effects: [{ run: { id: "child-1" } }],
      waits: [{ name: "child-1" }],
    });
    expect(ids).toBe(1);
  });

  test("that nobody waits for is started at once, and its id is the same in every replay", async () => {
    const ids: string[] = [];
    const run = parentOf(async (step) => {
      ids.push(await step.start("fire", child, { n: 1 }, { delay: "1 hour" }));
      await step.sleep("nap", 1);
    });
    await run.turn();
    expect(run.effects).toMatchObject([
      { kind: "start", run: { id: ids[0], delayMs: HOUR, parent: { runId: "run-1", key: null } } },
    ]);
    await run.finish();
    expect(run.effects).toHaveLength(1);
    expect(new Set(ids).size).toBe(1);
  });
});

describe("suspending on a wait is reached, never thrown (I8)", () => {
  const child = defineWorkflow({ name: "child" }, async () => null);
  test.each<[string, (step: Steps) => Promise<unknown>, (run: SimulatedRun) => void]>([
    ["a signal", go, (run) => run.signal("go")],
    ["a message", (step) => step.receive("news"), (run) => run.message("receive news")],
    ["a child", (step) => step.invoke("ask", child, null), (run) => run.endChild("ask", "completed")],
    [
      "a map",
      (step) => step.map("m", [1, 2], (n) => n),
      (run) => {
        for (const { key } of [...run.branches]) run.give(key, run.lease(key).branchTurn, 1);
      },
    ],
    [
      "a step that runs apart",
      (step) => step.run("apart", () => 1, { atMostOnce: true }),
      (run) => run.give("apart", run.lease("apart").branchTurn, 1),
    ],
  ])("a catch, a finally and a then around %s run once, when it is over", async (_, wait, arrive) => {
    const seen: string[] = [];
    const work = workflowOf(async (step) => {
      try {
        await wait(step).then(
          () => seen.push("then"),
          () => seen.push("catch"),
        );
      } catch {
        seen.push("catch");
      } finally {
        seen.push("finally");
      }
    });
    const run = new SimulatedRun(work, null, undefined, [child]);
    for (let i = 0; i < 3; i++) expect(await run.turn()).toMatchObject({ status: "waiting" });
    expect(seen).toEqual([]);
    arrive(run);
    expect(await run.turn()).toMatchObject({ status: "completed" });
    expect(seen).toEqual(["then", "finally"]);
  });
});
