/**
 * I6 over random programs and random schedules: branches end in any order, turns are taken at any moment, attempts
 * fail, invocations are lost, facts arrive early or late. Whatever happens, every step gives what its own body gave,
 * the run ends as the same program does without Pawl, and a replay of its journal sees the same.
 */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { isFinal } from "../../src/engine/run.ts";
import type { Steps } from "../../src/engine/workflow.ts";
import { seeded } from "../support/random.ts";
import { edgesOf, SimulatedRun, wander, workflowOf } from "./support.ts";

type Node =
  | { what: "step"; name: string; failures: number; fails: boolean; wander: number; apart: boolean }
  | { what: "map"; name: string; count: number; concurrency: number; bad: number; tolerate: number | null }
  | { what: "sleep"; ms: number }
  | { what: "wait" }
  | { what: "value" }
  | { what: "all" | "allSettled" | "race" | "any" | "seq"; parts: Node[] };

const name = fc.constantFrom("a", "b");
const step = fc.record({
  what: fc.constant("step" as const),
  name,
  failures: fc.oneof({ weight: 4, arbitrary: fc.constant(0) }, { weight: 1, arbitrary: fc.nat(2) }),
  fails: fc.oneof({ weight: 6, arbitrary: fc.constant(false) }, { weight: 1, arbitrary: fc.constant(true) }),
  wander: fc.oneof(fc.nat(4), fc.nat(70)),
  apart: fc.oneof({ weight: 6, arbitrary: fc.constant(false) }, { weight: 1, arbitrary: fc.constant(true) }),
});
const map = fc.record({
  what: fc.constant("map" as const),
  name: fc.constantFrom("a", "m"),
  count: fc.nat(5),
  concurrency: fc.integer({ min: 1, max: 4 }),
  bad: fc.integer({ min: -8, max: 4 }),
  tolerate: fc.option(fc.nat(2)),
});
const others = fc.constantFrom<Node>(
  { what: "sleep", ms: 5 },
  { what: "sleep", ms: 900 },
  { what: "wait" },
  { what: "value" },
);
const program = (groups: readonly ("all" | "allSettled" | "race" | "any" | "seq")[]) =>
  fc.letrec<{ node: Node }>((tie) => ({
    node: fc.oneof(
      { maxDepth: 3, withCrossShrink: true },
      { weight: 4, arbitrary: step },
      { weight: 1, arbitrary: map },
      { weight: 2, arbitrary: others },
      {
        weight: 5,
        arbitrary: fc.record({
          what: fc.constantFrom(...groups),
          parts: fc.array(tie("node"), { minLength: 1, maxLength: 4 }),
        }),
      },
    ),
  })).node;

/** What the bodies of one run did. */
interface Watch {
  readonly swaps: string[];
  /** How often a body came to its end, by the place in the program that asked for it. */
  readonly ended: Map<string, number>;
}

const noFailures = { delay: 10, backoff: "fixed" as const };

/** Runs the program; what a step gives names the place that asked for it. Failures are told without their order. */
async function interpret(steps: Steps, node: Node, path: string, watch: Watch): Promise<unknown> {
  const same = (given: unknown, own: unknown) => {
    if (JSON.stringify(given) !== JSON.stringify(own)) {
      watch.swaps.push(`${path} was given ${JSON.stringify(given)} instead of ${JSON.stringify(own)}`);
    }
    return own;
  };
  const body = (token: string, failures: number, fails: boolean, attempt: number) => {
    if (fails || attempt <= failures) throw new Error(token);
    watch.ended.set(token, (watch.ended.get(token) ?? 0) + 1);
    return token;
  };
  switch (node.what) {
    case "step": {
      const { failures, fails } = node;
      const options = node.apart ? { atMostOnce: true } : { retry: noFailures };
      try {
        const work = ({ attempt }: { attempt: number }) =>
          body(path, node.apart ? 0 : failures, fails, attempt);
        const given = await steps.run(node.name, work, options);
        await wander(node.wander);
        return same(given, path);
      } catch (error) {
        const { cause } = error as Error;
        same(cause instanceof Error ? cause.message : String(error), path);
        throw error;
      }
    }
    case "map": {
      const tokens = Array.from({ length: node.count }, (_, i) => `${path}[${i}]`);
      const work = (token: string, { index }: { index: number }) => body(token, 0, index === node.bad, 1);
      const given = (await steps.map(node.name, tokens, work, {
        retry: { maxAttempts: 1 },
        concurrency: node.concurrency,
        ...(node.tolerate === null ? {} : { tolerate: node.tolerate }),
      } as { tolerate: number })) as unknown[];
      const told = node.tolerate === null ? given : (given as PromiseSettledResult<string>[]).map(toldOf);
      return same(
        told,
        tokens.map((token, i) => (i === node.bad ? "failed" : token)),
      );
    }
    case "sleep":
      return steps.sleep("nap", node.ms);
    case "wait":
      return same(await steps.waitForSignal("wait", { signal: path }), path);
    case "value":
      return typeof (await steps.uuid());
    default: {
      const parts = node.parts.map((part, i) => () => interpret(steps, part, `${path}.${i}`, watch));
      if (node.what === "seq") {
        const told: unknown[] = [];
        for (const part of parts) told.push(await part().catch(() => "failed"));
        return told;
      }
      const all = parts.map((part) => part());
      if (node.what === "all") return Promise.all(all).catch(() => "failed");
      if (node.what === "race") return Promise.race(all).catch(() => "failed");
      if (node.what === "any") return Promise.any(all).catch(() => "failed");
      return (await Promise.allSettled(all)).map(toldOf);
    }
  }
}

function toldOf(end: PromiseSettledResult<unknown>): unknown {
  return end.status === "fulfilled" ? end.value : "failed";
}

/** The signals that the program may wait for. */
function signalsOf(node: Node, path: string): string[] {
  if (node.what === "wait") return [path];
  return "parts" in node ? node.parts.flatMap((part, i) => signalsOf(part, `${path}.${i}`)) : [];
}

/** Steps as they are without Pawl: one after the other means one after the other, and nothing is kept. */
function plainSteps(): Steps {
  const attempts = async (work: (context: never) => unknown, most: number) => {
    for (let attempt = 1; ; attempt++) {
      try {
        return await work({ attempt } as never);
      } catch (error) {
        if (attempt >= most) throw new Error("failed", { cause: error });
      }
    }
  };
  const plain = {
    run: (_: string, work: (context: never) => unknown, { atMostOnce }: { atMostOnce?: boolean }) =>
      attempts(work, atMostOnce ? 1 : 3),
    map: async (
      _: string,
      items: string[],
      work: (item: string, context: { index: number }) => unknown,
      { tolerate }: { tolerate?: number },
    ) => {
      const ends = await Promise.allSettled(items.map(async (item, index) => work(item, { index })));
      const failed = ends.filter((end) => end.status === "rejected").length;
      if (failed > (tolerate ?? 0)) throw new Error("too many");
      return tolerate === undefined ? ends.map((end) => end.status === "fulfilled" && end.value) : ends;
    },
    sleep: async () => {},
    waitForSignal: async (_: string, { signal }: { signal: string }) => signal,
    uuid: async () => "uuid",
  };
  return plain as unknown as Steps;
}

/** Runs the program to its end, letting happen what chance chooses. */
async function runByChance(node: Node, seed: number, isWarm: boolean) {
  const random = seeded(seed);
  const below = (limit: number) => Math.floor(random() * limit);
  const watch: Watch = { swaps: [], ended: new Map() };
  const unsent = new Set(signalsOf(node, "p"));
  const lost = new Set<string>();
  const workflow = workflowOf((steps) => interpret(steps, node, "p", watch));
  const run = new SimulatedRun(workflow, null, (options) => options[below(options.length)], [], isWarm);
  for (let i = 0; !isFinal(run.status); i++) {
    if (i > 3_000) throw new Error("The run does not come to its end.");
    const chance = below(100);
    const [signal] = [...unsent].slice(below(unsent.size));
    const leased = run.branches.filter((branch) => branch.leased && !branch.started);
    const loser = leased[below(leased.length)];
    if (signal !== undefined && (chance < 12 || run.isStill)) {
      unsent.delete(signal);
      run.signal(signal, signal);
    } else if (loser !== undefined && chance < 16) {
      lost.add(loser.key);
      run.loseBranch(loser.key);
    } else if (chance < 20) run.now += below(300);
    else await run.advance();
  }
  return { run, watch, lost };
}

/** What must hold of every run, whatever happened to it. */
async function checkRun({ run, watch, lost }: Awaited<ReturnType<typeof runByChance>>) {
  expect(run.last).toMatchObject({ status: "completed", failure: null });
  expect(watch.swaps).toEqual([]);
  const completed = run.journal.filter(({ outcome }) => outcome === "completed").map(({ key }) => key);
  expect(new Set(completed).size).toBe(completed.length);
  if (lost.size === 0) for (const [token, times] of watch.ended) expect([token, times]).toEqual([token, 1]);
  const replayed = await run.plan();
  expect(replayed).toMatchObject({ state: "finished" });
  expect(replayed.state === "finished" && told(replayed.output)).toEqual(told(run.last?.output?.json));
  expect(watch.swaps).toEqual([]);
}

const told = (output: unknown) => JSON.stringify(output ?? null, (_, value: unknown) => value ?? null);

const seeds = fc.integer({ min: 0, max: 2 ** 31 });

describe("whatever the schedule (I6)", () => {
  test.each([
    ["cold", false],
    ["warm", true],
  ])(
    "a run ends as its program does without Pawl (%s)",
    async (_, isWarm) => {
      await fc.assert(
        fc.asyncProperty(program(["all", "allSettled", "seq"]), seeds, async (node, seed) => {
          const ran = await runByChance({ what: "seq", parts: [node] }, seed, isWarm);
          await checkRun(ran);
          const watch: Watch = { swaps: [], ended: new Map() };
          const plain = await interpret(plainSteps(), { what: "seq", parts: [node] }, "p", watch);
          expect(told(ran.run.last?.output?.json)).toBe(told(plain));
        }),
        { numRuns: 300 },
      );
    },
    60_000,
  );

  test.each([
    ["cold", false],
    ["warm", true],
  ])(
    "races end in a replay as they ended at first (%s)",
    async (_, isWarm) => {
      await fc.assert(
        fc.asyncProperty(program(["all", "allSettled", "race", "any", "seq"]), seeds, async (node, seed) => {
          await checkRun(await runByChance({ what: "seq", parts: [node, node] }, seed, isWarm));
        }),
        { numRuns: 300 },
      );
    },
    60_000,
  );

  test("a step is asked for at the same entry in every replay, from whatever point of the journal", async () => {
    await fc.assert(
      fc.asyncProperty(program(["all", "allSettled", "race", "seq"]), seeds, async (node, seed) => {
        const { run } = await runByChance({ what: "seq", parts: [node, node] }, seed, false);
        const askedAt = new Map<string, number>();
        for (const entry of run.forked) {
          expect([entry.key, askedAt.get(entry.key) ?? entry.askedAt]).toEqual([entry.key, entry.askedAt]);
          askedAt.set(entry.key, entry.askedAt);
        }
        for (let seq = 0; seq <= run.journal.length; seq++) {
          const { planner, plan } = await run.replay(seq);
          expect(plan.state).not.toBe("stuck");
          for (const edge of edgesOf(plan)) {
            if (edge.kind !== "step") continue;
            const known = askedAt.get(edge.key) ?? edge.askedAt;
            expect([edge.key, edge.askedAt]).toEqual([edge.key, known]);
            askedAt.set(edge.key, known);
          }
          // Whoever performs a branch finds it where it was asked for.
          for (const forked of run.forked) {
            if (forked.askedAt === seq) expect(planner.openStep(forked.key)?.key).toBe(forked.key);
          }
        }
      }),
      { numRuns: 80 },
    );
  }, 60_000);

  test("a run that is warm writes the same journal as one that is not", async () => {
    await fc.assert(
      fc.asyncProperty(program(["all", "allSettled", "race", "any", "seq"]), seeds, async (node, seed) => {
        const [cold, warm] = [await runByChance(node, seed, false), await runByChance(node, seed, true)];
        expect(warm.run.journal).toEqual(cold.run.journal);
        expect(warm.run.last?.output).toEqual(cold.run.last?.output);
      }),
      { numRuns: 120 },
    );
  }, 60_000);
});
