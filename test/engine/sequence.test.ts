import { describe, expect, expectTypeOf, test } from "vitest";
import * as z from "zod";
import type { Failure } from "../../src/engine/failure.ts";
import { nextRetryMs, type Retry } from "../../src/engine/retry.ts";
import { sequence } from "../../src/engine/sequence.ts";
import { type AnyWorkflow, defineWorkflow, type Workflow } from "../../src/engine/workflow.ts";
import { SimulatedRun } from "./support.ts";

/** Runs it to its end; gives its output. */
async function outputOf(workflow: AnyWorkflow, input: unknown = null): Promise<unknown> {
  const decision = await new SimulatedRun(workflow, input).finish();
  expect(decision).toMatchObject({ status: "completed" });
  return decision.output?.json;
}

async function failureOf(workflow: AnyWorkflow, input: unknown = null): Promise<Failure | null> {
  const decision = await new SimulatedRun(workflow, input).finish();
  expect(decision).toMatchObject({ status: "failed" });
  return decision.failure;
}

const order = z.object({ id: z.string(), amount: z.number() });

describe("steps one after another", () => {
  test("each is told the input and what the steps before it returned", async () => {
    const workflow = sequence("shop", { input: order })
      .step("charge", ({ input }) => ({ id: `pay-${input.id}`, amount: input.amount }))
      .step("ship", ({ results, run, attempt }) => `${results.charge.id} of ${run.workflow}, try ${attempt}`)
      .build();
    expect(workflow).toMatchObject({ name: "shop", version: 1, schema: order });
    expect(await outputOf(workflow, { id: "7", amount: 5 })).toEqual({
      charge: { id: "pay-7", amount: 5 },
      ship: "pay-7 of shop, try 1",
    });
  });

  test("results have the types of what the steps return", () => {
    const workflow = sequence("typed", { input: order, version: 2 })
      .step("charge", async ({ input }) => ({ id: input.id }))
      .parallel("checks", { stock: () => 3, fraud: { run: async () => ({ score: 0.5 }), maxAttempts: 1 } })
      .route("way", ({ results }) => (results.checks.stock > 1 ? "fast" : "slow"), {
        fast: (branch) => branch.step("fly", ({ results }) => ({ flight: results.charge.id })),
        slow: (branch) => branch.step("sail", () => true as boolean),
      })
      .loop("poll", ({ iteration }) => iteration * 2, { until: ({ last }) => last === 4 })
      .waitForSignal("approved", { schema: z.object({ by: z.string() }), timeout: "1 day" })
      .waitForSignal("paid", { schema: z.object({ at: z.number() }) })
      .child(
        "bill",
        defineWorkflow({ name: "bill", input: order }, async ({ input }) => ({ bill: input.id })),
        ({ input }) => input,
      );
    expectTypeOf(workflow.build()).toExtend<
      Workflow<
        { id: string; amount: number },
        {
          readonly charge: { id: string };
          readonly checks: { stock: number; fraud: { score: number } };
          readonly way: "fast" | "slow";
          readonly fly?: { flight: string };
          readonly sail?: boolean;
          readonly poll: number | undefined;
          readonly approved: { by: string } | null;
          readonly paid: { at: number };
          readonly bill: { bill: string };
        }
      >
    >();
    // @ts-expect-error: no step is called "refund"
    workflow.step("late", ({ results }) => results.refund);
  });

  test("a body cannot change what later steps are told", async () => {
    const workflow = sequence("sealed")
      .step("one", () => 1)
      .step("two", ({ results }) => Object.assign(results as object, { one: 7, extra: true }) && 2)
      .step("three", ({ results }) => results.one)
      .build();
    expect(await outputOf(workflow)).toEqual({ one: 1, two: 2, three: 1 });
  });
});

describe("how a step is tried", () => {
  const failing = (attempts: number) => {
    let calls = 0;
    return () => {
      calls += 1;
      if (calls <= attempts) throw new Error(`failed ${calls}`);
      return calls;
    };
  };
  const delays = (run: SimulatedRun) =>
    run.journal.flatMap(({ outcome, retryAt }, i) =>
      outcome === "retrying" ? [(retryAt ?? 0) - (times.get(run)?.[i] ?? 0)] : [],
    );
  const times = new Map<SimulatedRun, number[]>();

  /** Notes when each entry was journaled. */
  async function finish(workflow: AnyWorkflow): Promise<SimulatedRun> {
    const run = new SimulatedRun(workflow);
    const at: number[] = [];
    times.set(run, at);
    while (run.status !== "completed" && run.status !== "failed") {
      await run.advance();
      while (at.length < run.journal.length) at.push(run.now);
    }
    return run;
  }

  test("a backoff function is told the failed attempt and says how long to wait", async () => {
    const told: number[] = [];
    const backoff = (failed: number) => ({ seconds: told.push(failed) * 10 });
    const workflow = sequence("paced").step("a", failing(2), { maxAttempts: 3, backoff }).build();
    expect(delays(await finish(workflow))).toEqual([10_000, 20_000]);
    expect(told).toEqual([1, 2]);
  });

  test("a backoff function that throws, or says nonsense, costs the step nothing but its own pace", async () => {
    const broken = () => {
      throw new Error("no pace");
    };
    for (const backoff of [broken, () => "soon" as never]) {
      const [delay = 0] = delays(await finish(sequence("odd").step("a", failing(1), { backoff }).build()));
      expect(delay).toBeGreaterThan(0);
      expect(delay).toBeLessThanOrEqual(1_000);
    }
  });

  test("what a backoff function says is cut only by a maxDelay of its step", () => {
    const backoff = () => ({ hours: 1 });
    const delay = (retry: Retry) => nextRetryMs(retry, 1, new Error("no"), "seed", 0);
    expect(delay({ backoff })).toBe(3_600_000);
    expect(delay({ backoff, maxDelay: "1 minute" })).toBe(60_000);
  });

  test("without options it has three attempts, further and further apart", async () => {
    const workflow = sequence("plain").step("a", failing(5)).build();
    const run = await finish(workflow);
    expect(run.status).toBe("failed");
    const [one = 0, two = 0, ...more] = delays(run);
    expect(more).toEqual([]);
    expect(one).toBeLessThanOrEqual(1_000);
    expect(two).toBeGreaterThan(one);
  });

  test("steps are undone in the reverse order, each told its output, when a later one fails", async () => {
    const undone: unknown[] = [];
    const undo = ({ output, results, input }: { output: unknown; results: unknown; input: unknown }) =>
      void undone.push({ output, results, input });
    const workflow = sequence("saga")
      .step("a", () => "A", { compensate: undo })
      .parallel("both", { left: { run: () => "L", compensate: undo }, right: () => "R" })
      .step("fail", () => Promise.reject(new Error("no")), { maxAttempts: 1 })
      .build();
    expect(await failureOf(workflow, "in")).toMatchObject({ code: "step_failed", step: "fail" });
    expect(undone).toEqual([
      { output: "L", results: { a: "A" }, input: "in" },
      { output: "A", results: {}, input: "in" },
    ]);
  });
});

describe("what is more than a step", () => {
  test("parallel entries are forked together, and the sequence goes on when all have ended", async () => {
    const workflow = sequence("wide")
      .parallel("all", { a: () => 1, b: () => 2, c: () => 3 })
      .step("sum", ({ results }) => results.all.a + results.all.b + results.all.c)
      .build();
    const run = new SimulatedRun(workflow);
    await run.turn();
    expect(run.forked.map(({ key }) => key)).toEqual(["all/a", "all/b", "all/c"]);
    expect((await run.finish()).output?.json).toEqual({ all: { a: 1, b: 2, c: 3 }, sum: 6 });
  });

  test("a route asks its resolver once, and takes that case or the default", async () => {
    const asked: string[] = [];
    const workflow = sequence("routed", { input: z.string() })
      .route("way", ({ input }) => asked.splice(asked.length, 0, input).concat(input).join(), {
        express: (branch) => branch.step("fly", () => "flown").sleep("rest", "1 hour"),
        default: (branch) => branch.step("sail", ({ results }) => `sailed ${results.way}`),
      })
      .step("end", ({ results }) => `${results.way}: ${results.fly ?? results.sail}`)
      .build();
    expect(await outputOf(workflow, "express")).toMatchObject({
      way: "express",
      fly: "flown",
      end: "express: flown",
    });
    expect(await outputOf(workflow, "by mule")).toMatchObject({
      way: "default",
      end: "default: sailed default",
    });
    expect(asked).toEqual(["express", "by mule"]);
  });

  test("a route that resolves to no case fails the run, with both named", async () => {
    const workflow = sequence("lost")
      .route("way", () => "up", { left: (branch) => branch.step("l", () => 1) })
      .build();
    expect(await failureOf(workflow)).toMatchObject({
      code: "invalid_step",
      message: 'Route "way" resolved to "up", which is none of "left".',
    });
  });

  test("a loop goes round while, until, or so many times, and is told its round and the last result", async () => {
    const workflow = sequence("loops")
      .loop("times", ({ iteration, last }) => [...((last as number[]) ?? []), iteration], { times: 3 })
      .loop("until", ({ iteration }) => iteration, { until: ({ last }) => last === 2 })
      .loop("while", ({ iteration }) => iteration, { while: ({ last = 0 }) => last < 4 })
      .loop("never", () => 1, { while: () => false })
      .build();
    const run = new SimulatedRun(workflow);
    const { output } = await run.finish();
    expect(output?.json).toMatchObject({ times: [1, 2, 3], until: 2, while: 4 });
    expect(run.performed).toEqual([
      ...["times", "times#2", "times#3"],
      ...["until", "until#2"],
      ...["while", "while#2", "while#3", "while#4"],
    ]);
  });

  test("a loop that is not over after maxIterations rounds fails the run", async () => {
    const workflow = sequence("endless")
      .loop("poll", () => 1, { until: () => false, maxIterations: 5 })
      .build();
    const run = new SimulatedRun(workflow);
    expect((await run.finish()).failure).toMatchObject({ code: "loop_limit_reached" });
    expect(run.performed).toHaveLength(5);
  });

  test("it sleeps, waits for signals, gives up waiting, and starts children", async () => {
    const child = defineWorkflow({ name: "child" }, async ({ input }) => input);
    const workflow = sequence("parked")
      .sleep("a while", "1 hour")
      .waitForSignal("approved")
      .waitForSignal("perhaps", { timeout: "1 day" })
      .child("child", child, ({ results, input }) => ({ ...(results as object), input }))
      .build();
    const run = new SimulatedRun(workflow, "in", undefined, [child]);
    run.signal("approved", { by: "Ada" });
    while (!run.waits.some(({ kind }) => kind === "child")) await run.advance();
    const [started] = run.effects.flatMap((effect) =>
      effect.kind === "start" ? [effect.run.input.json] : [],
    );
    expect(started).toEqual({ approved: { by: "Ada" }, perhaps: null, input: "in" });
    run.endChild("child", "completed", { output: "done" });
    expect((await run.finish()).output?.json).toEqual({
      approved: { by: "Ada" },
      perhaps: null,
      child: "done",
    });
  });
});

describe("what is refused when it is defined, by name", () => {
  const body = () => 1;
  test.each<[string, () => unknown, string]>([
    [
      "two steps of one name",
      () => sequence("s").step("a", body).step("a", body),
      'two of its steps are called "a"',
    ],
    ["an empty name", () => sequence("s").step("", body), "A step needs a name"],
    ["a name with #", () => sequence("s").sleep("a#2", 1), '"a#2" must not hold "#"'],
    ["no steps", () => sequence("s").build(), "it has no steps"],
    ["no function", () => sequence("s").step("a", 7 as never), 'step "a" needs a function to run'],
    ["attempts below one", () => sequence("s").step("a", body, { maxAttempts: 0 }), "maxAttempts must be"],
    [
      "an unknown backoff",
      () => sequence("s").step("a", body, { backoff: "slow" as never }),
      "backoff must be",
    ],
    [
      "a timeout that cannot be read",
      () => sequence("s").step("a", body, { timeout: "soon" as never }),
      "soon",
    ],
    ["a parallel without entries", () => sequence("s").parallel("p", {}), '"p" has no entries'],
    [
      "a parallel entry without a name",
      () => sequence("s").parallel("p", { "": body }),
      'an entry of "p" has no name',
    ],
    [
      "a name in two cases of a route",
      () => sequence("s").route("r", () => "x", { x: (b) => b.step("a", body), y: (b) => b.step("a", body) }),
      'two of its steps are called "a"',
    ],
    ["a route without cases", () => sequence("s").route("r", () => "x", {}), '"r" has no cases'],
    [
      "a loop without an end",
      () => sequence("s").loop("l", body, {} as never),
      "needs one of while, until and times",
    ],
    [
      "a loop with two ends",
      () => sequence("s").loop("l", body, { times: 2, until: () => true } as never),
      "needs one of while, until and times",
    ],
    ["a loop that goes round half", () => sequence("s").loop("l", body, { times: 0.5 }), "not 0.5"],
    ["a sleep that cannot be read", () => sequence("s").sleep("n", "soon" as never), "soon"],
    [
      "a child that is no workflow",
      () => sequence("s").child("c", {} as never, () => null as never),
      '"c" needs a workflow',
    ],
  ])("%s", (_what, define, problem) => {
    expect(define).toThrow(expect.objectContaining({ code: "invalid_sequence" }));
    expect(define).toThrow(problem);
    expect(define).toThrow('Sequence "s"');
  });
});
