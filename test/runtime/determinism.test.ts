import { AsyncLocalStorage } from "node:async_hooks";
import { describe, expect, test, vi } from "vitest";
import * as z from "zod";
import { watched } from "../../src/determinism.ts";
import type { NondeterministicCall } from "../../src/engine/errors.ts";
import { type AnyWorkflow, defineWorkflow, type Steps } from "../../src/engine/workflow.ts";
import { claimedRun, SimulatedRun, wander, workflowOf } from "../engine/support.ts";

/** What they were before they were wrapped. */
const original = vi.hoisted(() => ({ Date, setTimeout }));

/** The workflow as the registry has it, and what its author was told of. */
function watch(workflow: AnyWorkflow) {
  const warnings: NondeterministicCall[] = [];
  const [known = workflow] = watched([workflow], (call) => void warnings.push(call));
  return { workflow: known, warnings, calls: () => warnings.map(({ call }) => call) };
}

/** What a workflow is warned of that does this between two steps. */
async function warnedOf(code: (step: Steps) => unknown): Promise<NondeterministicCall[]> {
  const { workflow, warnings } = watch(
    workflowOf(async (step) => {
      await step.run("before", () => null);
      await code(step);
      await step.run("after", () => null);
    }),
  );
  expect(await new SimulatedRun(workflow).finish()).toMatchObject({ status: "completed" });
  return warnings;
}

/** Every call that is heard. Each ends at once, and nobody is called. */
const CALLS: readonly (readonly [call: string, remedy: string, code: () => unknown])[] = [
  ["Date.now()", "step.now()", () => Date.now()],
  ["new Date()", "step.now()", () => new Date()],
  ["Date()", "step.now()", () => Date()],
  ["performance.now()", "step.now()", () => performance.now()],
  ["Math.random()", "step.random()", () => Math.random()],
  ["crypto.getRandomValues()", "step.random()", () => crypto.getRandomValues(new Uint8Array(1))],
  ["crypto.randomUUID()", "step.uuid()", () => crypto.randomUUID()],
  ["setTimeout()", "step.sleep()", () => clearTimeout(setTimeout(() => {}, 0))],
  ["setInterval()", "step.sleep()", () => clearInterval(setInterval(() => {}, 0))],
  ["fetch()", "step.run()", () => fetch("data:text/plain,here").then((answer) => answer.text())],
];

const everything = async () => {
  for (const [, , code] of CALLS) await code();
};

describe("a workflow is warned of what a replay would do again", () => {
  test.each(CALLS)("%s outside a step, to be replaced by %s", async (call, remedy, code) => {
    const [warning, ...more] = await warnedOf(code);
    expect(more).toEqual([]);
    expect(warning).toMatchObject({ workflow: "test", version: 1, call, remedy });
    expect(warning?.message).toContain(`Workflow "test" version 1 called ${call} outside a step`);
    expect(warning?.message).toContain(`Use ${remedy}`);
    expect(warning?.stack?.split("\n")[1]).toContain("determinism.test.ts");
  });

  test("once for each call, however many runs and replays come to it", async () => {
    const { workflow, calls } = watch(
      workflowOf(async (step) => {
        for (let i = 0; i < 5; i++) {
          Date.now();
          Math.random();
          await step.run("step", () => null);
        }
      }),
    );
    for (let runs = 0; runs < 2; runs++) await new SimulatedRun(workflow).finish();
    expect(calls()).toEqual(["Date.now()", "Math.random()"]);
  });

  test("each version for itself", async () => {
    const warnings: NondeterministicCall[] = [];
    const versions = [1, 2].map((version) =>
      defineWorkflow({ name: "test", version }, async () => void Date.now()),
    );
    const known = watched(versions, (call) => void warnings.push(call));
    for (const workflow of known) await new SimulatedRun(workflow).finish();
    expect(warnings.map(({ version }) => version)).toEqual([1, 2]);
  });

  test("in helpers, callbacks and forks, however many awaits later", async () => {
    const helper = async () => {
      await wander(20);
      return Date.now();
    };
    const warnings = await warnedOf(async (step) => {
      const fork = step.run("fork", () => null).then(() => Math.random());
      await new Promise<void>((resolve) => {
        setImmediate(() => {
          crypto.randomUUID();
          resolve();
        });
      });
      await Promise.all([helper(), fork]);
    });
    expect(warnings.map(({ call }) => call).sort()).toEqual([
      "Date.now()",
      "Math.random()",
      "crypto.randomUUID()",
    ]);
  });

  test("where its function goes on warm, in the turn after the one that it began in", async () => {
    const { workflow, calls } = watch(
      workflowOf(async (step) => {
        await step.run("before", () => null);
        await step.sleep("nap", 1_000);
        Date.now();
        await step.run("after", () => null);
      }),
    );
    const run = new SimulatedRun(workflow, null, undefined, [], true);
    await run.turn();
    await run.turn();
    expect(calls()).toEqual([]);
    expect(await run.finish()).toMatchObject({ status: "completed" });
    expect(calls()).toEqual(["Date.now()"]);
  });

  test("and not for another whose runs take their turns at the same time", async () => {
    const names = ["clock", "chance", "neither"] as const;
    const warnings: NondeterministicCall[] = [];
    const workflows = names.map((name) =>
      defineWorkflow({ name }, async ({ step }) => {
        for (let i = 0; i < 5; i++) {
          await wander(i);
          if (name === "clock") Date.now();
          if (name === "chance") Math.random();
          await step.run("step", async () => {
            await wander(3);
            return everything();
          });
        }
      }),
    );
    const known = watched(workflows, (call) => void warnings.push(call));
    await Promise.all(known.map((workflow) => new SimulatedRun(workflow).finish()));
    expect(warnings.map(({ workflow, call }) => `${workflow}: ${call}`).sort()).toEqual([
      "chance: Math.random()",
      "clock: Date.now()",
    ]);
  });
});

describe("nobody is warned of", () => {
  test.each<[string, (step: Steps) => Promise<unknown>]>([
    ["a step's body", (step) => step.run("work", everything)],
    ["a body that awaits", (step) => step.run("work", () => wander(20).then(everything))],
    ["steps side by side", (step) => Promise.all(["a", "b"].map((name) => step.run(name, everything)))],
    ["a map's items", (step) => step.map("items", [1, 2, 3], everything)],
    ["a transaction", (step) => step.transaction("write", everything)],
    [
      "a backoff",
      (step) =>
        step.run("work", ({ attempt }) => (attempt === 1 ? Promise.reject(new Error("no")) : null), {
          retry: { delay: 0, backoff: () => Math.floor(Math.random()) + 1 },
        }),
    ],
    ["values of the journal", (step) => Promise.all([step.now(), step.random(), step.uuid()])],
    ["a date that is given", async () => [new Date(0), Date.parse("2026-01-01"), Date.UTC(2026)]],
  ])("%s", async (_, code) => {
    expect(await warnedOf(code)).toEqual([]);
  });

  test("a compensator", async () => {
    const { workflow, calls } = watch(
      workflowOf(async (step) => {
        await step.run("book", () => 1, { compensate: everything });
        throw new Error("no");
      }),
    );
    const run = new SimulatedRun(workflow);
    expect(await run.finish()).toMatchObject({ status: "failed" });
    expect(run.performed).toEqual(["book", "book#compensation"]);
    expect(calls()).toEqual([]);
  });

  test("the schema of what arrives, and of what a child is given", async () => {
    const schema = z.unknown().refine(async () => {
      await everything();
      return true;
    });
    const child = defineWorkflow({ name: "child", input: schema }, async () => null);
    const { workflow, calls } = watch(
      workflowOf(async (step) => {
        await step.start("child", child, null);
        return step.waitForSignal("go", { schema });
      }),
    );
    const run = new SimulatedRun(workflow, null, undefined, [child]);
    run.signal("go", 1);
    expect(await run.finish()).toMatchObject({ status: "completed" });
    expect(calls()).toEqual([]);
  });

  test("what the runtime calls by itself, such as Node's fetch, which asks for the time", async () => {
    const warnings = await warnedOf(() => fetch("data:text/plain,here").then((answer) => answer.text()));
    expect(warnings.map(({ call }) => call)).toEqual(["fetch()"]);
  });

  test("code that no workflow called", async () => {
    const { calls } = watch(workflowOf(async () => null));
    await everything();
    expect(calls()).toEqual([]);
  });
});

describe("code gets what it always got", () => {
  test("from Date", () => {
    expect(Date).not.toBe(original.Date);
    class Later extends Date {}
    const noon = new Date(2026, 0, 1, 12);
    expect(noon).toEqual(new original.Date(2026, 0, 1, 12));
    expect([noon instanceof Date, noon instanceof original.Date, noon.constructor]).toEqual([
      true,
      true,
      Date,
    ]);
    expect(new Later(5)).toBeInstanceOf(Later);
    expect(new Later(5).getTime()).toBe(5);
    expect(new original.Date(0)).toBeInstanceOf(Date);
    expect([Date.name, Date.length, Date.prototype]).toEqual(["Date", 7, original.Date.prototype]);
    expect(new Date() >= new original.Date(2026, 0, 1)).toBe(true);
    expect(original.Date.parse(Date())).not.toBeNaN();
    expect(structuredClone(noon)).toBeInstanceOf(Date);
  });

  test("also where stacks cannot be read", async () => {
    const prepare = Error.prepareStackTrace;
    Error.prepareStackTrace = () => {
      throw new Error("no stacks here");
    };
    try {
      expect(await warnedOf(everything)).toHaveLength(CALLS.length);
    } finally {
      Error.prepareStackTrace = prepare;
    }
  });

  test("from an AsyncLocalStorage of its own, over its steps", async () => {
    const storage = new AsyncLocalStorage<string>();
    const seen: unknown[] = [];
    await warnedOf((step) =>
      storage.run("mine", async () => {
        await step.run("step", () => null);
        seen.push(storage.getStore());
      }),
    );
    expect(seen.length).toBeGreaterThan(0);
    expect(new Set(seen)).toEqual(new Set(["mine"]));
  });

  test("from functions, with what hangs on them", () => {
    expect(crypto.randomUUID()).toMatch(/^[\da-f-]{36}$/);
    expect(Object.getOwnPropertySymbols(setTimeout)).toEqual(
      Object.getOwnPropertySymbols(original.setTimeout),
    );
    expect([fetch.name, setTimeout.length]).toEqual(["fetch", original.setTimeout.length]);
    const detached = crypto.randomUUID;
    expect(() => detached()).toThrow(TypeError);
  });
});

test("the run's own facts and calls are Pawl's code, not the workflow's", async () => {
  const { workflow, calls } = watch(
    defineWorkflow({ name: "test" }, async ({ step, run }) => {
      await run.set("at", run.startedAt);
      await run.append("log", "a line");
      await run.join("group");
      await step.emit("tell", { type: "told" });
      await step.hook("hook");
      await step.sleepUntil("date", new Date(claimedRun().now));
      await step.continueAsNew({ at: new Date(0) });
    }),
  );
  await new SimulatedRun(workflow).finish();
  expect(calls()).toEqual([]);
});
