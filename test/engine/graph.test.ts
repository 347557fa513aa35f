import fc from "fast-check";
import { describe, expect, expectTypeOf, test } from "vitest";
import * as z from "zod";
import type { NodeContext, NodeResult } from "../../src/engine/graph/node.ts";
import { type Dependency, findCycle, type Release } from "../../src/engine/graph/shape.ts";
import { defineGraph } from "../../src/engine/graph.ts";
import { type AppendedStep, toCanonical } from "../../src/engine/mutation.ts";
import type { AnyWorkflow, Workflow } from "../../src/engine/workflow.ts";
import { type Choice, endingIn, inOrder, SimulatedRun } from "./support.ts";

type Results = Record<string, NodeResult>;

async function finish(workflow: AnyWorkflow, choose?: Choice, input: unknown = null) {
  const run = new SimulatedRun(workflow, input, choose);
  const decision = await run.finish();
  return { run, decision, results: decision.output?.json as unknown as Results };
}

const statuses = (results: Results) =>
  Object.fromEntries(Object.entries(results).map(([name, { status }]) => [name, status]));

const boom = () => {
  throw new Error("boom");
};
const failing = { run: boom, maxAttempts: 1 };
const optional = { ...failing, optional: true };

const append = (run: SimulatedRun, ...steps: readonly AppendedStep[]) =>
  run.append(toCanonical({ gate: "gate", steps }, "default"));

describe("steps run once their dependencies let them go", () => {
  test("a diamond: both sides beside each other, then what joins them, with all results", async () => {
    const told: NodeContext[] = [];
    const workflow = defineGraph({
      name: "diamond",
      input: z.object({ n: z.number() }),
      steps: {
        join: { after: ["left", "right"], run: (context) => told.push(context) && "joined" },
        left: { after: ["top"], run: ({ results }) => `left of ${results.top}` },
        right: { after: ["top"], run: ({ results }) => `right of ${results.top}` },
        top: { run: ({ input }) => input.n + 1 },
      },
    });
    const { run, results } = await finish(workflow, undefined, { n: 1 });
    expect(run.performed).toEqual(["top", "left", "right", "join"]);
    expect(run.forked.map(({ key }) => key)).toEqual(["left", "right"]);
    expect(results.join).toEqual({ status: "completed", output: "joined" });
    expect(told[0]).toMatchObject({
      input: { n: 1 },
      results: { top: 2, left: "left of 2", right: "right of 2" },
      failures: {},
      payload: null,
      run: { id: "run-1", workflow: "diamond" },
    });
  });

  test("a step waits for its own dependencies only", async () => {
    const workflow = defineGraph({
      name: "lanes",
      steps: {
        slow: { run: () => 1 },
        quick: { run: () => 1 },
        "after quick": { after: ["quick"], run: () => 1 },
        last: { after: ["slow", "after quick"], run: () => 1 },
      },
    });
    const { run } = await finish(workflow, endingIn("quick", "after quick", "slow"));
    expect(run.performed.indexOf("after quick")).toBeLessThan(run.performed.indexOf("last"));
    expect(run.journal.map(({ key }) => key)).toEqual(["quick", "after quick", "slow", "last"]);
  });

  test("of several that may start, those of the highest priority are asked for first", async () => {
    const step = { run: () => 1 };
    const workflow = defineGraph({
      name: "ranked",
      steps: { low: { ...step, priority: -1 }, none: step, high: { ...step, priority: 7 }, other: step },
    });
    const { run } = await finish(workflow);
    expect(run.forked.map(({ key }) => key)).toEqual(["high", "none", "other", "low"]);
  });

  test("the stage of the step that started last is shown in the run's state", async () => {
    const workflow = defineGraph({
      name: "staged",
      steps: {
        pack: { run: () => 1, stage: "packing" },
        label: { after: ["pack"], run: () => 1, stage: "packing" },
        ship: { after: ["label"], run: () => 1, stage: "shipping" },
      },
    });
    const { run } = await finish(workflow);
    const set = run.effects.flatMap((effect) =>
      effect.kind === "set" ? [[effect.key, effect.value.json]] : [],
    );
    expect(set).toEqual([
      ["stage", "packing"],
      ["stage", "shipping"],
    ]);
  });

  test("attempts and the timeout of a step are those of its definition", async () => {
    let tries = 0;
    const workflow = defineGraph({
      name: "tried",
      steps: { a: { run: () => (++tries < 4 ? boom() : tries), maxAttempts: 4, timeout: "1 minute" } },
    });
    expect((await finish(workflow)).results.a).toEqual({ status: "completed", output: 4 });
    const plan = await new SimulatedRun(workflow).plan();
    expect(plan).toMatchObject({ edges: [{ options: { timeout: "1 minute", retry: { maxAttempts: 4 } } }] });
  });

  test("the output's type has every step", () => {
    const workflow = defineGraph({ name: "typed", steps: { a: { run: () => 1 }, gate: { gate: true } } });
    expectTypeOf(workflow).toExtend<
      Workflow<unknown, { readonly a: NodeResult; readonly gate: NodeResult }>
    >();
  });

  test("any graph runs every step exactly once, after all it waits for, whatever ends first", async () => {
    const size = 9;
    const dag = fc
      .array(
        fc.record({
          after: fc.uniqueArray(fc.nat(size - 1), { maxLength: 3 }),
          release: fc.constantFrom<Release>("onSuccess", "onTerminal"),
          fails: fc.boolean(),
          priority: fc.integer({ min: -2, max: 2 }),
        }),
        { minLength: 1, maxLength: size },
      )
      .map((rows) => rows.map((row, i) => ({ ...row, after: row.after.filter((other) => other < i) })));
    await fc.assert(
      fc.asyncProperty(dag, fc.array(fc.nat(20), { maxLength: 60 }), async (rows, choices) => {
        const ran: string[] = [];
        const nameOf = (i: number) => `s${i}`;
        const dependenciesOf = (i: number): Dependency[] =>
          (rows[i]?.after ?? []).map((other) => ({
            step: nameOf(other),
            release: rows[i]?.release ?? "onSuccess",
          }));
        const steps = rows.map(({ fails, priority }, i) => [
          nameOf(i),
          {
            after: dependenciesOf(i),
            priority,
            maxAttempts: 1,
            optional: true,
            run: ({ results }: NodeContext) => {
              ran.push(nameOf(i));
              if (fails) boom();
              return Object.keys(results).length;
            },
          },
        ]);
        // The last comes first, so that the order of definition is no help.
        const workflow = defineGraph({ name: "random", steps: Object.fromEntries(steps.reverse()) });
        const { run, results } = await finish(workflow, inOrder(choices));
        const expected = new Map<string, string>();
        for (const [i, { fails }] of rows.entries()) {
          const goes = dependenciesOf(i).every(
            ({ step, release }) => release === "onTerminal" || expected.get(step) === "completed",
          );
          expected.set(nameOf(i), goes ? (fails ? "failed" : "completed") : "skipped");
        }
        expect(statuses(results)).toEqual(Object.fromEntries(expected));
        expect([...ran].sort()).toEqual(
          [...expected]
            .filter(([, status]) => status !== "skipped")
            .map(([name]) => name)
            .sort(),
        );
        const ended = run.journal.map(({ key }) => key);
        for (const i of rows.keys()) {
          if (!ran.includes(nameOf(i))) continue;
          for (const { step } of dependenciesOf(i)) {
            if (ran.includes(step)) expect(ended.indexOf(step)).toBeLessThan(ended.indexOf(nameOf(i)));
          }
        }
      }),
      { numRuns: 60 },
    );
  });
});

describe("steps that fail", () => {
  test("onSuccess: what depends on them is skipped, and so is what depends on that; the rest still runs", async () => {
    const workflow = defineGraph({
      name: "broken",
      steps: {
        bad: optional,
        next: { after: ["bad"], run: () => 1 },
        last: { after: ["next"], run: () => 1 },
        free: { run: () => 1 },
        "after free": { after: ["free"], run: () => 1 },
      },
    });
    const { run, results } = await finish(workflow);
    expect(statuses(results)).toEqual({
      bad: "failed",
      next: "skipped",
      last: "skipped",
      free: "completed",
      "after free": "completed",
    });
    expect(results.bad).toEqual({
      status: "failed",
      failure: { code: "error", name: "Error", message: "boom" },
    });
    expect(run.performed).not.toContain("next");
  });

  test("onTerminal: what depends on them is let go all the same, and told of the failure", async () => {
    const told: NodeContext[] = [];
    const after = [{ step: "skipped", release: "onTerminal" as const }];
    const workflow = defineGraph({
      name: "cleaned",
      steps: {
        bad: optional,
        skipped: { after: ["bad"], run: () => 1 },
        clean: { after, run: (context) => told.push(context) && "clean" },
      },
    });
    const { results } = await finish(workflow);
    expect(statuses(results)).toEqual({ bad: "failed", skipped: "skipped", clean: "completed" });
    expect(told[0]).toMatchObject({ results: {}, failures: { bad: { message: "boom" } } });
  });

  test("the run fails with the first of them, but only once every step has ended", async () => {
    const workflow = defineGraph({
      name: "fails",
      steps: {
        bad: failing,
        other: failing,
        slow: { run: () => 1 },
        later: { after: ["slow"], run: () => 1 },
      },
    });
    const { run, decision } = await finish(workflow, endingIn("other", "bad", "slow"));
    expect(decision).toMatchObject({ status: "failed", failure: { code: "step_failed", step: "other" } });
    expect(run.performed).toContain("later");
  });

  test("a graph whose last word was a failure can be revived: the step is tried again, and what it held back runs", async () => {
    let isMended = false;
    const workflow = defineGraph({
      name: "mended",
      steps: {
        first: { run: () => 1 },
        bad: { after: ["first"], run: () => (isMended ? "good" : boom()), maxAttempts: 1 },
        next: { after: ["bad"], run: ({ results }) => results.bad },
      },
    });
    const run = new SimulatedRun(workflow);
    expect(await run.finish()).toMatchObject({ status: "failed", failure: { step: "bad" } });
    isMended = true;
    run.revive();
    const { output } = await run.finish();
    expect(output?.json).toMatchObject({ next: { status: "completed", output: "good" } });
    expect(run.performed).toEqual(["first", "bad", "bad", "next"]);
  });

  test("steps that completed are undone then, the last one first, and told what they were", async () => {
    const undone: unknown[] = [];
    const compensate = ({ output, results }: { output: unknown; results: unknown }) =>
      void undone.push([output, results]);
    const workflow = defineGraph({
      name: "saga",
      steps: {
        a: { run: () => "A", compensate },
        b: { after: ["a"], run: () => "B", compensate },
        c: { after: ["b"], ...failing },
      },
    });
    const { decision } = await finish(workflow);
    expect(decision.status).toBe("failed");
    expect(undone).toEqual([
      ["B", { a: "A" }],
      ["A", {}],
    ]);
  });
});

describe("gates", () => {
  const workflow = defineGraph({
    name: "gated",
    steps: {
      before: { run: () => 1 },
      gate: { gate: true },
      after: { after: ["before", "gate"], run: ({ results }) => results.gate },
    },
    handlers: {
      work: ({ payload, results }) => ({ payload, results: Object.keys(results).sort() }),
      fail: failing,
    },
  });

  test("a gate holds its dependents until a signal of its name brings its output", async () => {
    const run = new SimulatedRun(workflow);
    await run.settle();
    expect(run).toMatchObject({ status: "waiting", performed: ["before"] });
    run.signal("gate", { by: "Ada" });
    const { output } = await run.finish();
    expect(output?.json).toMatchObject({ after: { output: { by: "Ada" } }, gate: { output: { by: "Ada" } } });
  });

  test("a signal that came before the gate was reached opens it; null opens it too", async () => {
    const late = defineGraph({
      name: "late",
      steps: { first: { run: () => 1 }, gate: { gate: true, after: ["first"], timeout: "1 day" } },
    });
    const run = new SimulatedRun(late);
    run.signal("gate", null);
    expect((await run.finish()).output?.json).toMatchObject({ gate: { status: "completed", output: null } });
  });

  test("a gate that is not opened in time has failed", async () => {
    const steps = {
      gate: { gate: true, timeout: "1 hour" },
      after: { after: ["gate"], run: () => 1 },
    } as const;
    const strict = await finish(defineGraph({ name: "timed", steps }));
    expect(strict.decision).toMatchObject({ status: "failed", failure: { code: "gate_timed_out" } });
    const lax = await finish(
      defineGraph({ name: "timed", steps: { ...steps, gate: { ...steps.gate, optional: true } } }),
    );
    expect(statuses(lax.results)).toEqual({ gate: "failed", after: "skipped" });
  });

  test("a gate whose dependency failed is skipped, and nobody has to open it", async () => {
    const skipping = defineGraph({
      name: "skipping",
      steps: {
        bad: optional,
        gate: { gate: true, after: ["bad"] },
        after: { after: ["gate"], run: () => 1 },
      },
    });
    const { run, results } = await finish(skipping);
    expect(statuses(results)).toEqual({ bad: "failed", gate: "skipped", after: "skipped" });
    expect(run.journal.find(({ key }) => key === "gate")).toMatchObject({
      kind: "value",
      outcome: "completed",
    });
  });

  test("a graph without gates never waits for steps to be appended; one whose gates are open no longer does", async () => {
    const { run } = await finish(
      defineGraph({ name: "closed", steps: { a: { run: () => 1 }, b: { run: () => 1 } } }),
    );
    expect(run.journal.map(({ kind }) => kind)).toEqual(["step", "step"]);
    const gated = new SimulatedRun(workflow);
    await gated.settle();
    expect(gated.waits.map(({ key }) => key).sort()).toEqual(["gate", "graph"]);
    gated.signal("gate", 1);
    await gated.finish();
    expect(gated.performed).toEqual(["before", "after"]);
    expect(gated.forked.map(({ key }) => key)).toEqual(["before"]);
  });
});

describe("appending to a live run", () => {
  const workflow = defineGraph({
    name: "growing",
    steps: { first: { run: () => "F" }, gate: { gate: true }, last: { after: ["gate"], run: () => "L" } },
    handlers: {
      work: ({ payload, results }) => ({ payload, results: Object.keys(results).sort() }),
      fail: failing,
    },
  });

  test("appended steps run beside the others, with their payload and what they wait for", async () => {
    const run = new SimulatedRun(workflow);
    append(
      run,
      { name: "two", handler: "work", after: ["one", "first"], payload: 2 },
      { name: "one", handler: "work", payload: 1, priority: 3 },
      { name: "held", handler: "work", after: [{ step: "gate", release: "onSuccess" }] },
    );
    await run.settle();
    expect([...run.performed].sort()).toEqual(["first", "one", "two"]);
    append(run, { name: "three", handler: "work", after: ["two"] });
    await run.settle();
    expect(run.performed).toContain("three");
    expect(run.waits.map(({ key }) => key)).toContain("graph#3");
    run.signal("gate", null);
    const results = (await run.finish()).output?.json as unknown as Results;
    expect(results).toMatchObject({
      one: { output: { payload: 1, results: [] } },
      two: { output: { payload: 2, results: ["first", "one"] } },
      three: { output: { results: ["first", "one", "two"] } },
      held: { output: { results: ["gate"] } },
      last: { output: "L" },
    });
  });

  test("what was appended before the gate's signal is taken before it, in one turn or in two", async () => {
    for (const settles of [true, false]) {
      const run = new SimulatedRun(workflow);
      if (settles) await run.settle();
      append(run, { name: "late", handler: "work", after: ["gate"] });
      run.signal("gate", null);
      const results = (await run.finish()).output?.json as unknown as Results;
      expect(statuses(results)).toMatchObject({ late: "completed", last: "completed" });
    }
  });

  test("also when a clock that was put back says that the signal came first", async () => {
    const run = new SimulatedRun(workflow);
    append(run, { name: "late", handler: "work" });
    run.now -= 60_000;
    run.signal("gate", null);
    run.now += 60_000;
    expect(statuses((await run.finish()).output?.json as unknown as Results)).toMatchObject({
      late: "completed",
    });
  });

  test("without a release a dependency lets go however it ends, and a failure fails the run at its end", async () => {
    const run = new SimulatedRun(workflow);
    append(
      run,
      { name: "bad", handler: "fail", maxAttempts: 1 },
      { name: "after bad", handler: "work", after: ["bad"] },
      { name: "if good", handler: "work", after: [{ step: "bad", release: "onSuccess" }] },
    );
    run.signal("gate", null);
    expect(await run.finish()).toMatchObject({ status: "failed", failure: { step: "bad" } });
    expect(run.performed).toContain("after bad");
    expect(run.performed).not.toContain("if good");
  });

  test("what comes while the turn that skips the last gate is under way is still done", async () => {
    const skipping = defineGraph({
      name: "skipping",
      steps: { bad: optional, gate: { gate: true, after: ["bad"] } },
      handlers: { work: () => "done" },
    });
    const run = new SimulatedRun(skipping, null, (options) => options.find(({ what }) => what !== "commit"));
    await run.turn();
    await run.perform("bad");
    const decision = await run.take();
    expect(decision.entries.map(({ key }) => key)).toEqual(["bad", "gate"]);
    append(run, { name: "late", handler: "work" });
    run.commit(decision);
    const results = (await run.finish()).output?.json as unknown as Results;
    expect(statuses(results)).toEqual({ bad: "failed", gate: "skipped", late: "completed" });
  });

  test("a handler that the code no longer has fails its step, once, by name", async () => {
    const run = new SimulatedRun(workflow);
    append(run, { name: "orphan", handler: "gone" });
    run.signal("gate", null);
    const { failure } = await run.finish();
    expect(failure).toMatchObject({ step: "orphan", message: expect.stringContaining('the handler "gone"') });
    expect(run.journal.filter(({ key }) => key === "orphan")).toHaveLength(1);
  });

  test("any interleaving of appends, ends of steps and the gate's signal runs every step once", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.nat(20), { maxLength: 60 }),
        fc.array(fc.nat(6), { minLength: 4, maxLength: 4 }),
        async (choices, pauses) => {
          const run = new SimulatedRun(workflow, null, inOrder(choices));
          for (const [i, pause] of pauses.entries()) {
            for (let n = 0; n < pause && run.options.length > 0; n++) await run.advance();
            const after = i === 0 ? ["gate"] : [`step ${i - 1}`, "first"];
            append(
              run,
              { name: `step ${i}`, handler: "work", after },
              { name: `side ${i}`, handler: "work" },
            );
          }
          run.signal("gate", null);
          const results = (await run.finish()).output?.json as unknown as Results;
          expect(Object.values(results).every(({ status }) => status === "completed")).toBe(true);
          expect(Object.keys(results)).toHaveLength(3 + 8);
          expect(new Set(run.performed).size).toBe(run.performed.length);
          expect(run.performed).toHaveLength(2 + 8);
        },
      ),
      { numRuns: 60 },
    );
  });
});

describe("what is refused when it is defined, by name", () => {
  const step = { run: () => 1 };
  test.each<[string, unknown, string]>([
    ["no steps", {}, "it has no steps"],
    ["an empty name", { "": step }, "A step needs a name"],
    ["a name with #", { "a#2": step }, 'must not hold "#"'],
    ["a name of the graph's own", { graph: step }, 'no step can be called "graph"'],
    ["no function", { a: {} }, 'step "a" needs a function to run'],
    ["a gate with a body", { g: { gate: true, run: () => 1 } }, 'gate "g" has a body'],
    [
      "an unknown dependency",
      { a: { ...step, after: ["b"] } },
      'step "a" waits for "b", which is no step of it',
    ],
    ["a dependency named twice", { a: step, b: { ...step, after: ["a", "a"] } }, 'step "b" names "a" twice'],
    ["an unknown release", { a: step, b: { ...step, after: [{ step: "a", release: "never" }] } }, '"never"'],
    ["a priority that is no number", { a: { ...step, priority: "high" } }, 'the priority of step "a"'],
    ["attempts below one", { a: { ...step, maxAttempts: 0 } }, "maxAttempts must be"],
    ["a timeout that cannot be read", { g: { gate: true, timeout: "soon" } }, "soon"],
    ["an empty stage", { a: { ...step, stage: "" } }, 'The stage of step "a"'],
    ["a step that waits for itself", { a: { ...step, after: ["a"] } }, '"a" → "a"'],
    [
      "a cycle",
      { a: { ...step, after: ["c"] }, b: { ...step, after: ["a"] }, c: { ...step, after: ["b"] }, d: step },
      'its steps wait for each other: "a" → "c" → "b" → "a"',
    ],
  ])("%s", (_what, steps, problem) => {
    const define = () => defineGraph({ name: "g", steps: steps as never });
    expect(define).toThrow(expect.objectContaining({ code: "invalid_graph" }));
    expect(define).toThrow(problem);
    expect(define).toThrow('Graph "g"');
  });

  test("a handler that is no function", () => {
    const define = () => defineGraph({ name: "g", steps: { a: step }, handlers: { work: 7 as never } });
    expect(define).toThrow('handler "work" needs a function to run');
  });

  test("a chain of 20,000 steps has no cycle, and is looked through without recursion", () => {
    const chain = Array.from({ length: 20_000 }, (_, i) => ({
      name: `${i}`,
      gate: false,
      after: i === 19_999 ? [] : [{ step: `${i + 1}`, release: "onSuccess" as const }],
    }));
    expect(findCycle(chain)).toBeNull();
  });
});
