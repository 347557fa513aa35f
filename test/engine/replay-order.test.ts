/**
 * I6, from the question "what if two branches use the same step name, and the journal's order is not the
 * order in which the code would get there by itself?"
 */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Steps } from "../../src/engine/workflow.ts";
import { inOrder, SimulatedRun, simulate, wander, workflowOf } from "./support.ts";

/** Runs to the end, letting happen what the numbers choose; then replays the whole journal once more. */
async function runAndReplay(work: (step: Steps) => Promise<unknown>, order: readonly number[]) {
  const { decision, run } = await simulate(workflowOf(work), null, inOrder(order));
  const completed = run.journal.map((entry) => entry.key);
  expect(decision).toMatchObject({ status: "completed", failure: null });
  expect(new Set(completed).size).toBe(completed.length);
  const replayed = await run.plan();
  expect(replayed.state).toBe("finished");
  return {
    output: decision.output?.json ?? null,
    replayed: replayed.state === "finished" ? replayed.output : null,
    run,
  };
}

const order = fc.array(fc.nat(7), { maxLength: 24 });
const pause = fc.oneof(fc.nat(4), fc.nat(90));
const iteration = fc.record({ before: pause, after: pause });
const loops = fc.array(fc.array(iteration, { minLength: 1, maxLength: 3 }), { minLength: 2, maxLength: 3 });

describe("branches side by side (I6)", () => {
  test("loops that use the same step name never swap results, whatever completes first", async () => {
    await fc.assert(
      fc.asyncProperty(loops, order, async (branches, completions) => {
        const swaps: string[] = [];
        const { output, replayed } = await runAndReplay(async (step) => {
          const log: string[] = [];
          const branch = async (pauses: (typeof branches)[number], b: number) => {
            for (const [i, { before, after }] of pauses.entries()) {
              const token = `loop ${b}, round ${i}`;
              await wander(before);
              const given = await step.run("fetch", () => token);
              await wander(after);
              if (given !== token) swaps.push(`${token} was given the result of ${given}`);
              log.push(given);
            }
          };
          await Promise.all(branches.map(branch));
          return log;
        }, completions);
        expect(swaps).toEqual([]);
        expect(replayed).toEqual(output);
      }),
      { numRuns: 1_500 },
    );
  });

  test("keys that depend on which branch came first are the same in every replay", async () => {
    await fc.assert(
      fc.asyncProperty(loops, order, async (branches, completions) => {
        const { output, replayed } = await runAndReplay(async (step) => {
          const log: string[] = [];
          const branch = async (pauses: (typeof branches)[number], b: number) => {
            for (const { before, after } of pauses) {
              await wander(before);
              await step.run("fetch", () => b);
              await wander(after);
              log.push(`loop ${b}`);
              await step.run(`arrival ${log.length} of loop ${b}`, () => null);
            }
          };
          await Promise.all(branches.map(branch));
          return log;
        }, completions);
        expect(replayed).toEqual(output);
      }),
      { numRuns: 800 },
    );
  });

  test("nested all, race, allSettled and any give the same in the first run and in every replay", async () => {
    const names = fc.constantFrom("a", "b", "c");
    type Tree =
      | { how: "all" | "race" | "allSettled" | "any"; parts: Tree[] }
      | { name: string; fails: boolean; wander: number };
    const tree = fc.letrec<{ tree: Tree }>((tie) => ({
      tree: fc.oneof(
        { maxDepth: 2 },
        fc.record({ name: names, fails: fc.boolean(), wander: pause }),
        fc.record({
          how: fc.constantFrom("all" as const, "race" as const, "allSettled" as const, "any" as const),
          parts: fc.array(tie("tree"), { minLength: 1, maxLength: 3 }),
        }),
      ),
    })).tree;
    await fc.assert(
      fc.asyncProperty(tree, tree, order, async (first, second, completions) => {
        const { output, replayed } = await runAndReplay(async (step) => {
          const told: unknown[] = [];
          let count = 0;
          const perform = async (node: Tree): Promise<unknown> => {
            if ("name" in node) {
              const token = `${node.name} ${count++}`;
              const retry = { maxAttempts: 1 };
              const body = () => (node.fails ? Promise.reject(new Error(token)) : token);
              const given = await step.run(node.name, body, { retry }).catch((error: Error) => {
                expect(error.message).toBe(
                  `Step "${error.message.split('"')[1]}" failed after its only attempt: ${token}`,
                );
                throw error;
              });
              expect(given).toBe(token);
              await wander(node.wander);
              return given;
            }
            const parts = node.parts.map(perform);
            if (node.how === "all") return Promise.all(parts);
            if (node.how === "race") return Promise.race(parts);
            if (node.how === "any") return Promise.any(parts);
            return (await Promise.allSettled(parts)).map((part) => part.status);
          };
          for (const node of [first, second]) {
            told.push(await perform(node).catch((error: Error) => `threw ${error.message}`));
          }
          return told;
        }, completions);
        expect(replayed).toEqual(output);
      }),
      { numRuns: 800 },
    );
  });
});

describe("code that does more than wait for its one step", () => {
  test.each([1, 5, 20, 31, 33, 63, 65, 200, 2_000])(
    "a fork that wanders for %d microtasks is where it was when the step's result is handed over again",
    async (microtasks) => {
      const { run } = await runAndReplay(async (step) => {
        let forkIsDone = false;
        wander(microtasks).then(() => {
          forkIsDone = true;
        });
        await step.run("a", () => 1);
        await step.run(forkIsDone ? "the fork was done" : "the fork was under way", () => 2);
      }, []);
      expect(run.performed).toEqual(["a", "the fork was done"]);
    },
  );

  test.each([0, 5, 40])(
    "a slow branch that is nearly done is not overtaken by the next outcome (%d)",
    async (microtasks) => {
      const { output, replayed } = await runAndReplay(async (step) => {
        const seen: string[] = [];
        const slow = async () => {
          await step.run("slow", () => 1);
          await wander(microtasks);
          seen.push("slow");
        };
        const quick = async () => {
          await step.run("quick", () => 2);
          seen.push("quick");
        };
        await Promise.all([slow(), quick()]);
        return seen;
      }, []);
      expect(output).toEqual(["slow", "quick"]);
      expect(replayed).toEqual(output);
    },
  );

  test("helpers that pass a result on through many hands change nothing", async () => {
    const passOn = async (work: () => Promise<unknown>, hands: number): Promise<unknown> =>
      hands === 0 ? await work() : await passOn(work, hands - 1);
    const { run } = await runAndReplay(async (step) => {
      for (let i = 0; i < 5; i++) await passOn(() => step.run("page", () => i), i * 15);
    }, []);
    expect(run.performed).toEqual(["page", "page#2", "page#3", "page#4", "page#5"]);
  });

  test("two branches that wait for one and the same step both go on, in the same order every time", async () => {
    const { output, replayed } = await runAndReplay(
      async (step) => {
        const seen: string[] = [];
        const shared = step.run("shared", () => "x");
        const wait = async (who: string, microtasks: number) => {
          await shared;
          await wander(microtasks);
          seen.push(who);
          await step.run("after", () => who).then((given) => expect(given).toBe(who));
        };
        await Promise.all([wait("late", 50), wait("early", 1)]);
        return seen;
      },
      [0, 1, 0],
    );
    expect(output).toEqual(["early", "late"]);
    expect(replayed).toEqual(output);
  });

  test("a thousand steps one after the other are replayed in one turn without a call to a body", async () => {
    const work = workflowOf(async (step) => {
      let sum = 0;
      for (let i = 0; i < 1_000; i++) sum += await step.run("add", () => i);
      return sum;
    });
    const run = new SimulatedRun(work);
    for (let i = 0; i < 1_000; i++) {
      const key = i === 0 ? "add" : `add#${i + 1}`;
      run.journal.push({
        seq: i + 1,
        kind: "step",
        key,
        outcome: "completed",
        attempt: 1,
        output: { json: i, meta: null },
        failure: null,
        retryAt: null,
      });
    }
    expect(await run.turn()).toMatchObject({ status: "completed", output: { json: 499_500 }, entries: [] });
    expect(run.performed).toEqual([]);
  });
});
