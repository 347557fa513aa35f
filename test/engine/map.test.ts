/** `step.map`: many items, at most so many of them under way at once. */
import { describe, expect, test } from "vitest";
import { StepFailed } from "../../src/engine/errors.ts";
import { Replay } from "../../src/engine/plan/replay.ts";
import type { MapOptions, Steps } from "../../src/engine/workflow.ts";
import {
  addresses,
  type Choice,
  claimedRun,
  endingIn,
  entryOf,
  rest,
  SimulatedRun,
  simulate,
  workflowOf,
} from "./support.ts";

const once = { retry: { maxAttempts: 1 } };
const numbers = (count: number) => Array.from({ length: count }, (_, i) => i);
const refuse = (item: unknown) => Promise.reject(new Error(`no ${item}`));

const doubled = (count: number, options: MapOptions<number> = {}) =>
  workflowOf((step) => step.map("double", numbers(count), (item) => item * 2, options));

describe("a map", () => {
  test("does its body once for every item, each in an invocation of its own, and gives the outputs in the items' order", async () => {
    const run = new SimulatedRun(
      workflowOf((step) => step.map("tell", ["a", "b", "c"], (item, { index }) => `${item}${index}`)),
      null,
      endingIn("tell[2]", "tell[0]", "tell[1]"),
    );
    expect(await run.finish()).toMatchObject({ status: "completed", output: { json: ["a0", "b1", "c2"] } });
    expect(run.journal.map(({ key }) => key)).toEqual(["tell[2]", "tell[0]", "tell[1]"]);
    expect(run.performed.toSorted()).toEqual(["tell[0]", "tell[1]", "tell[2]"]);
    expect(run.forked.map(({ askedAt }) => askedAt)).toEqual([0, 0, 0]);
  });

  test("of no items is over at once, with or without tolerance", async () => {
    for (const options of [{}, { tolerate: 3 }]) {
      const { decision, run } = await simulate(
        workflowOf((step) =>
          step.map("none", [], () => expect.fail("performed"), options as { tolerate: number }),
        ),
      );
      expect(decision).toMatchObject({ status: "completed", output: { json: [] }, entries: [] });
      expect(run.turns).toBe(1);
    }
  });

  test("of one item is performed in the turn, like any step that is alone", async () => {
    const { decision, run } = await simulate(doubled(1));
    expect(decision.output?.json).toEqual([0]);
    expect(run).toMatchObject({ turns: 1, forked: [], performed: ["double[0]"] });
  });

  test.each([1, 2, 3, 7])(
    "never has more than its concurrency of items under way (%d)",
    async (concurrency) => {
      let most = 0;
      const ends: string[] = [];
      const choose: Choice = (options) => {
        most = Math.max(most, run.branches.length);
        // What was begun last ends first, so that the window moves on by its holes.
        const next = options.at(-1);
        if (next?.what === "deliver" && next.key !== null) ends.push(next.key);
        return next;
      };
      const run = new SimulatedRun(doubled(20, { concurrency }), null, choose);
      expect(await run.finish()).toMatchObject({
        status: "completed",
        output: { json: numbers(20).map((n) => n * 2) },
      });
      expect(most).toBe(concurrency === 1 ? 0 : concurrency);
      expect(new Set(run.performed).size).toBe(20);
      expect(run.performed).toHaveLength(20);
      if (concurrency > 1) expect(ends).not.toEqual(ends.toSorted());
    },
  );

  test("has a hundred under way where nothing is said", async () => {
    const run = new SimulatedRun(doubled(250));
    await run.turn();
    expect(run.branches).toHaveLength(100);
  });

  test("takes the next items as soon as one is over, however slow the first is", async () => {
    const run = new SimulatedRun(doubled(5, { concurrency: 2 }));
    await run.turn();
    await run.begin("double[0]");
    for (const key of ["double[1]", "double[2]", "double[3]", "double[4]"]) {
      await run.perform(key);
      await run.turn();
    }
    expect(run.branches.map(({ key, leased }) => [key, leased])).toEqual([["double[0]", true]]);
    run.deliver("double[0]");
    expect(await run.turn()).toMatchObject({ status: "completed", output: { json: [0, 2, 4, 6, 8] } });
  });

  test("can be used twice under one name, and beside itself", async () => {
    const { decision, run } = await simulate(
      workflowOf((step) =>
        Promise.all([
          step.map("m", [1, 2], (item) => `first ${item}`),
          step.map("m", [1, 2, 3], (item) => `second ${item}`),
        ]),
      ),
    );
    expect(decision.output?.json).toEqual([
      ["first 1", "first 2"],
      ["second 1", "second 2", "second 3"],
    ]);
    expect(run.performed.toSorted()).toEqual(["m#2[0]", "m#2[1]", "m#2[2]", "m[0]", "m[1]"]);
  });

  test("tries an item that fails again, and only that one", async () => {
    const { decision, run } = await simulate(
      workflowOf((step) =>
        step.map("m", [0, 1, 2], (item, { attempt }) => (item === 1 && attempt < 3 ? refuse(item) : attempt)),
      ),
    );
    expect(decision.output?.json).toEqual([1, 3, 1]);
    expect(
      run.journal.filter(({ key }) => key === "m[1]").map(({ attempt, outcome }) => [attempt, outcome]),
    ).toEqual([
      [1, "retrying"],
      [2, "retrying"],
      [3, "completed"],
    ]);
  });
});

describe("a map whose items fail", () => {
  const partly = (failing: readonly number[], options: MapOptions<number> & { tolerate?: number }) =>
    workflowOf(async (step) => {
      const map = step.map as (...given: unknown[]) => Promise<unknown>;
      return map("m", numbers(4), (item: number) => (failing.includes(item) ? refuse(item) : item), {
        ...once,
        ...options,
      });
    });

  test("rejects with the first failure, and the rest is dropped", async () => {
    const work = async (step: Steps) => {
      const caught = await step
        .map("m", numbers(6), (item) => (item === 1 ? refuse(item) : item), { ...once, concurrency: 3 })
        .catch((error: unknown) => error);
      expect(caught).toBeInstanceOf(StepFailed);
      return (caught as StepFailed).step;
    };
    const run = new SimulatedRun(workflowOf(work));
    await run.turn();
    await run.perform("m[1]");
    await run.perform("m[2]");
    await run.begin("m[0]");
    expect(await run.turn()).toMatchObject({ status: "completed", output: { json: "m[1]" } });
    expect(run.journal.map(({ key, outcome }) => [key, outcome])).toEqual([["m[1]", "failed"]]);
    expect(run.performed).toEqual(["m[1]", "m[2]", "m[0]"]);
    expect(run.branches).toEqual([]);
  });

  test("goes on after the failure was caught, without the rest, in every replay", async () => {
    const run = new SimulatedRun(
      workflowOf(async (step) => {
        const first = await step
          .map("m", numbers(6), (item) => (item === 1 ? refuse(item) : item), { ...once, concurrency: 3 })
          .catch(() => "caught");
        return [first, await step.run("after", () => "after"), await step.run("more", () => "more")];
      }),
    );
    await run.turn();
    await run.perform("m[2]");
    await run.perform("m[1]");
    await run.begin("m[0]");
    const decision = await run.turn();
    expect(decision).toMatchObject({ status: "ready", endedBranches: ["m[0]"] });
    run.deliver("m[0]");
    expect(await run.finish()).toMatchObject({ output: { json: ["caught", "after", "more"] } });
    expect(run.journal.map(({ key }) => key)).toEqual(["m[2]", "m[1]", "after", "more"]);
    expect(await run.plan()).toMatchObject({ state: "finished", output: ["caught", "after", "more"] });
  });

  test("drops what the rest gives once nobody waits for it, and keeps no trace of it", async () => {
    const run = new SimulatedRun(
      workflowOf(async (step) => {
        await step.map("m", numbers(3), (item) => (item === 0 ? refuse(item) : item), once).catch(() => {});
        await step.sleep("nap", "1 day");
      }),
    );
    await run.turn();
    for (const key of ["m[0]", "m[1]"]) await run.perform(key);
    expect(await run.turn()).toMatchObject({
      status: "waiting",
      consumed: [
        { id: 1, key: "m[0]" },
        { id: 2, key: null },
      ],
      endedBranches: ["m[2]"],
    });
    expect([run.inbox, run.branches]).toEqual([[], []]);
    expect(run.journal.map(({ key }) => key)).toEqual(["m[0]"]);
  });

  test.each([
    [0, []],
    [1, [2]],
    [1, [0]],
    [2, [0, 3]],
    [4, [0, 1, 2, 3]],
    [9, [1]],
  ])("with a tolerance of %d gives every item's end where %j fail", async (tolerate, failing) => {
    const work = partly(failing, { tolerate });
    const seen: unknown[] = [];
    const looking = workflowOf(async (step, input) => {
      const ends = (await work.run({ step, input } as never)) as PromiseSettledResult<number>[];
      seen.push(ends);
      return ends.map((end) => (end.status === "fulfilled" ? end.value : "failed"));
    });
    const { decision } = await simulate(looking);
    expect(decision).toMatchObject({
      status: "completed",
      output: { json: numbers(4).map((n) => (failing.includes(n) ? "failed" : n)) },
    });
    const ends = seen[0] as PromiseSettledResult<number>[];
    for (const end of ends) {
      if (end.status === "rejected") expect(end.reason).toBeInstanceOf(StepFailed);
    }
  });

  test.each([
    [0, [2]],
    [1, [0, 3]],
    [3, [0, 1, 2, 3]],
  ])("with a tolerance of %d rejects where %j fail", async (tolerate, failing) => {
    expect((await simulate(partly(failing, { tolerate }))).decision).toMatchObject({
      status: "failed",
      failure: { code: "step_failed", step: `m[${failing[tolerate]}]` },
    });
  });
});

describe("a map that cannot be recorded is refused where it is called", () => {
  const anyway = (step: Steps) => step.map as (...given: unknown[]) => Promise<unknown>;
  test.each<[string, (map: ReturnType<typeof anyway>) => Promise<unknown>, RegExp]>([
    ["a name like an item's", (map) => map("m[7]", [1], () => 1), /must not end like "\[7\]"/],
    ["no name", (map) => map("", [1], () => 1), /needs a name/],
    ["no array", (map) => map("m", new Set([1]), () => 1), /needs an array of items/],
    ["no body", (map) => map("m", [1]), /needs a function/],
    ["a concurrency of 0", (map) => map("m", [1], () => 1, { concurrency: 0 }), /from 1 to 1000, not 0/],
    ["a concurrency of 1001", (map) => map("m", [1], () => 1, { concurrency: 1001 }), /not 1001/],
    ["a concurrency of 1.5", (map) => map("m", [1], () => 1, { concurrency: 1.5 }), /not 1.5/],
    ["a tolerance of -1", (map) => map("m", [1], () => 1, { tolerate: -1 }), /tolerate must be .* not -1/],
    ["a tolerance of a half", (map) => map("m", [1], () => 1, { tolerate: 0.5 }), /not 0.5/],
  ])("%s", async (_, call, sentence) => {
    const { decision, run } = await simulate(workflowOf((step) => call(anyway(step))));
    expect(decision).toMatchObject({ status: "failed", failure: { code: "invalid_step" }, entries: [] });
    expect(decision.failure?.message).toMatch(sentence);
    expect(run.performed).toEqual([]);
  });

  test("a step whose name looks like an item's is refused too; brackets elsewhere are fine", async () => {
    const { decision } = await simulate(workflowOf((step) => step.run("page[3]", () => 1)));
    expect(decision).toMatchObject({ status: "failed", failure: { code: "invalid_step" } });
    const { run } = await simulate(
      workflowOf(async (step) => {
        for (const name of ["a[1] b", "a[b]", "[]", "a[1]]"]) await step.run(name, () => 1);
      }),
    );
    expect(run.performed).toEqual(["a[1] b", "a[b]", "[]", "a[1]]"]);
  });
});

describe("a map of ten thousand items", () => {
  const many = 10_000;

  test("never has more branches than its concurrency, and takes what has come in together", async () => {
    const concurrency = 1_000;
    let most = 0;
    const run = new SimulatedRun(doubled(many, { concurrency }));
    for (let i = 0; run.status !== "completed"; i++) {
      await run.turn();
      most = Math.max(most, run.branches.length);
      for (const { key } of [...run.branches]) {
        const { branchTurn } = run.lease(key);
        run.give(key, branchTurn, 1);
      }
      expect(i).toBeLessThan(many / concurrency + 2);
    }
    expect(most).toBe(concurrency);
    expect(run.last?.output?.json).toEqual(numbers(many).map(() => 1));
  }, 60_000);

  test("is replayed with a handful of rests: the function sees nothing of it until it is over", async () => {
    let rests = 0;
    const counting = {
      grace: rest.grace,
      settled: () => {
        rests += 1;
        return rest.settled();
      },
    };
    const journal = numbers(many).map((i) =>
      entryOf({ seq: i + 1, key: `double[${i}]`, output: { json: i, meta: null } }),
    );
    const replayed = (entries: typeof journal) =>
      new Replay(doubled(many), claimedRun({ journal: entries }), counting, addresses).start(null);
    expect((await replayed(journal)).state).toBe("finished");
    expect(rests).toBeLessThan(6);
    rests = 0;
    const half = await replayed(journal.slice(0, many / 2));
    expect(half.state === "resting" && half.edges.map(({ key }) => key)).toEqual(
      numbers(100).map((i) => `double[${many / 2 + i}]`),
    );
    expect(rests).toBeLessThan(6);
  });
});
