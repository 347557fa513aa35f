/** I7: what happens to a run whose code is changed under it. */
import { describe, expect, test } from "vitest";
import { StepFailed } from "../../src/engine/errors.ts";
import { Registry, type Steps } from "../../src/engine/workflow.ts";
import { performBranch } from "../../src/runtime/perform-branch.ts";
import { SimulatedRun, wander, workflowOf } from "./support.ts";

type Work = (step: Steps) => Promise<unknown>;

const step =
  (name: string): Work =>
  async (steps) =>
    steps.run(name, () => name);

const inTurn =
  (...names: string[]): Work =>
  async (steps) => {
    for (const name of names) await steps.run(name, () => name);
  };

const failing =
  (name: string): Work =>
  async (steps) => {
    await steps.run(name, () => Promise.reject(new Error("no")), { retry: { delay: "1 hour" } });
  };

/** Takes some turns with one code, and the next with another. */
async function redeploy(before: Work, turns: number, after: Work) {
  const run = new SimulatedRun(workflowOf(before));
  for (let i = 0; i < turns; i++) {
    const { status } = await run.turn();
    expect(["ready", "waiting"]).toContain(status);
    for (const { key, dueAt } of [...run.branches]) if (dueAt <= run.now) await run.perform(key);
  }
  const performed = [...run.performed];
  run.workflow = workflowOf(after);
  const decision = await run.turn();
  return { run, decision, ranNow: run.performed.slice(performed.length) };
}

describe("code that disagrees with its journal (I7)", () => {
  test.each<[string, Work, number, Work, string[]]>([
    ["a step renamed", inTurn("a", "b", "c"), 1, inTurn("A", "b", "c"), ['holds step "a"', 'asks for "A"']],
    [
      "a later step renamed",
      inTurn("a", "b", "c"),
      2,
      inTurn("a", "B", "c"),
      ['holds step "b"', 'asks for "B"'],
    ],
    [
      "a step put before one that is done",
      inTurn("a", "b"),
      1,
      inTurn("new", "a", "b"),
      ['holds step "a"', 'asks for "new"'],
    ],
    ["a step removed", inTurn("a", "b", "c"), 2, inTurn("b", "c"), ['holds step "a"', 'asks for "b"']],
    [
      "the last step that was done removed",
      inTurn("a", "b", "c"),
      2,
      inTurn("a", "c"),
      ['holds step "b"', 'asks for "c"'],
    ],
    [
      "two steps swapped",
      inTurn("a", "b", "c"),
      2,
      inTurn("b", "a", "c"),
      ['holds step "a"', 'asks for "b"'],
    ],
    [
      "a loop that got shorter",
      inTurn("page", "page", "page", "end"),
      3,
      inTurn("page", "page", "end"),
      ['holds step "page#3"', 'asks for "end"'],
    ],
    [
      "code that returns before what is done",
      inTurn("a", "b", "c"),
      2,
      inTurn("a"),
      ['holds step "b"', "asks for no step"],
    ],
    [
      "code that throws before what is done",
      inTurn("a", "b"),
      1,
      async () => {
        throw new Error("not any more");
      },
      ['holds step "a"', "asks for no step"],
    ],
    [
      "a step that became a sleep",
      inTurn("a", "b"),
      1,
      async (steps) => steps.sleep("a", "1 day"),
      ['Step "a" was recorded as a step, but the workflow now runs it as a sleep.'],
    ],
    [
      "a sleep under way that became a step",
      async (steps) => steps.sleep("a", "1 day"),
      1,
      step("a"),
      ['Step "a" was recorded as a sleep, but the workflow now runs it as a step.'],
    ],
    [
      "a retrying step that became a sleep",
      failing("a"),
      1,
      async (steps) => steps.sleep("a", "1 day"),
      ['"a" was recorded as a step', "runs it as a sleep"],
    ],
    ["a retrying step renamed", failing("a"), 1, failing("A"), ['holds step "a"', 'asks for "A"']],
    ["a retrying step removed", failing("a"), 1, step("b"), ['holds step "a"', 'asks for "b"']],
    [
      "a sleep under way removed",
      async (steps) => steps.sleep("nap", "1 day"),
      1,
      step("b"),
      ['holds sleep "nap"', 'asks for "b"'],
    ],
    [
      "a step put before a sleep under way",
      async (steps) => steps.sleep("nap", "1 day"),
      1,
      async (steps) => {
        await steps.run("new", () => 1);
        await steps.sleep("nap", "1 day");
      },
      ['holds sleep "nap"', 'asks for "new"'],
    ],
    [
      "one of two steps side by side removed",
      async (steps) => {
        await Promise.all([steps.run("a", () => 1), steps.run("b", () => 2)]);
        await steps.sleep("pause", "1 hour");
        await steps.run("c", () => 3);
      },
      2,
      inTurn("b", "c"),
      ['holds step "a"', 'asks for "b"'],
    ],
    [
      "a step whose failure was caught removed",
      async (steps) => {
        await steps
          .run("a", () => Promise.reject(new Error("no")), { retry: { maxAttempts: 1 } })
          .catch(() => {});
        await steps.run("b", () => 2);
        await steps.run("c", () => 3);
      },
      2,
      inTurn("b", "c"),
      ['holds step "a"', 'asks for "b"'],
    ],
    [
      "a map that became a step",
      async (steps) => steps.map("a", [1, 2], (n) => n).then(() => steps.sleep("nap", "1 day")),
      2,
      step("a"),
      ['holds step "a[0]"', 'asks for "a"'],
    ],
    [
      "a step that became a map",
      inTurn("a", "b"),
      1,
      async (steps) => steps.map("a", [1, 2], (n) => n),
      ['Step "a" was recorded as a step, but the workflow now runs it as a map.'],
    ],
    [
      "a map renamed",
      async (steps) => steps.map("a", [1, 2], (n) => n).then(() => steps.sleep("nap", "1 day")),
      2,
      async (steps) => steps.map("A", [1, 2], (n) => n),
      ['holds step "a[0]"', 'asks for "A"'],
    ],
    [
      "a map of fewer items than are done",
      async (steps) => steps.map("a", [1, 2, 3], (n) => n).then(() => steps.sleep("nap", "1 day")),
      2,
      async (steps) => steps.map("a", [1, 2], (n) => n).then(() => steps.sleep("nap", "1 day")),
      ['holds step "a[2]"', 'asks for "nap"'],
    ],
    [
      "a wait that became a sleep",
      async (steps) => steps.waitForSignal("a"),
      1,
      async (steps) => steps.sleep("a", "1 day"),
      ['Step "a" was recorded as a signal, but the workflow now runs it as a sleep.'],
    ],
    [
      "a sleep that became a wait",
      async (steps) => steps.sleep("a", "1 day"),
      1,
      async (steps) => steps.waitForSignal("a"),
      ['Step "a" was recorded as a sleep, but the workflow now runs it as a signal.'],
    ],
    [
      "a wait under way removed",
      async (steps) => steps.waitForSignal("go"),
      1,
      step("b"),
      ['holds signal "go"', 'asks for "b"'],
    ],
    [
      "a wait for a message that became one for a signal",
      async (steps) => steps.receive("news"),
      1,
      async (steps) => steps.waitForSignal("receive news"),
      ['Step "receive news" was recorded as a message, but the workflow now runs it as a signal.'],
    ],
    [
      "a value that became a step",
      async (steps) => [await steps.uuid(), await steps.sleep("nap", "1 day")],
      1,
      async (steps) => [await steps.run("uuid", () => "mine"), await steps.sleep("nap", "1 day")],
      ['Step "uuid" was recorded as a value, but the workflow now runs it as a step.'],
    ],
    [
      "a value removed",
      async (steps) => [await steps.now(), await steps.sleep("nap", "1 day")],
      1,
      async (steps) => steps.sleep("nap", "1 day"),
      ['holds value "now"', 'asks for "nap"'],
    ],
    [
      "an event that became a hook",
      async (steps) => [await steps.emit("a", { type: "t" }), await steps.sleep("nap", "1 day")],
      1,
      async (steps) => [await steps.hook("a"), await steps.sleep("nap", "1 day")],
      ['Step "a" was recorded as a emit, but the workflow now runs it as a hook.'],
    ],
    [
      "a step that became a transaction",
      inTurn("a", "b"),
      1,
      async (steps) => steps.transaction("a", () => 1),
      ['Step "a" was recorded as a step, but the workflow now runs it as a transaction.'],
    ],
  ])(
    "%s: the run is dead, both sides are named, nothing is performed (J1)",
    async (_, before, turns, after, sentences) => {
      const { decision, ranNow } = await redeploy(before, turns, after);
      expect(decision).toMatchObject({
        status: "dead",
        failure: { code: "journal_mismatch" },
        entries: [],
        timers: [],
      });
      for (const sentence of sentences) expect(decision.failure?.message).toContain(sentence);
      expect(ranNow).toEqual([]);
    },
  );

  test("a step is never given another step's result, even for a moment (J1)", async () => {
    const given: unknown[] = [];
    await redeploy(inTurn("a", "b", "c"), 2, async (steps) => {
      const keep = async (name: string) => given.push(name, await steps.run(name, () => "new"));
      await Promise.all([keep("b"), keep("x")]);
      await keep("a");
    });
    expect(given.filter((value) => value !== "b" && value !== "x")).toEqual([]);
  });

  test("no catch or finally of the code can swallow a mismatch (I8)", async () => {
    let swallowed = false;
    const { decision } = await redeploy(inTurn("a", "b"), 1, async (steps) => {
      try {
        await steps.sleep("a", "1 day");
      } catch {
        swallowed = true;
      } finally {
        swallowed = true;
      }
      return "done";
    });
    expect(decision.status).toBe("dead");
    expect(swallowed).toBe(false);
  });

  test("with the old code back, a revived run goes on where it was and repeats no step (J1)", async () => {
    const { run } = await redeploy(inTurn("a", "b", "c"), 2, inTurn("b", "a", "c"));
    run.workflow = workflowOf(inTurn("a", "b", "c"));
    run.revive();
    expect(await run.finish()).toMatchObject({ status: "completed" });
    expect(run.performed).toEqual(["a", "b", "c"]);
  });

  test("a sleep that was under way is not begun again when the old code comes back", async () => {
    const nap: Work = async (steps) => steps.sleep("nap", "1 day");
    const { run } = await redeploy(nap, 1, step("b"));
    run.workflow = workflowOf(nap);
    run.revive();
    const wakeAt = run.timers[0]?.dueAt;
    run.now += 3_600_000;
    expect(await run.turn()).toMatchObject({ status: "waiting", wakeAt, timers: [] });
  });
});

describe("a branch whose code was changed under it", () => {
  /** Forks two steps, changes the code, and lets one of them be performed. */
  async function fork(after: Work) {
    const before = workflowOf(async (steps) =>
      Promise.all([steps.run("a", () => "a"), steps.run("b", () => "b")]),
    );
    const run = new SimulatedRun(before);
    await run.turn();
    run.workflow = workflowOf(after);
    return { run, before };
  }

  test("finds that its step is not asked for any more: its run is dead, both sides are named", async () => {
    const { run, before } = await fork(async (steps) =>
      Promise.all([steps.run("a", () => "a"), steps.run("B", () => "B")]),
    );
    expect(await run.perform("b")).toMatchObject({
      outcome: "dead",
      failure: { code: "journal_mismatch", message: expect.stringContaining('asks for "a", "B"') },
    });
    // Where both deployments are up, a turn of the old one may hear of it.
    run.workflow = before;
    expect(await run.turn()).toMatchObject({ status: "dead", failure: { code: "journal_mismatch" } });
    expect(run.performed).toEqual([]);
  });

  test("finds no workflow of its version: its run is dead", async () => {
    const { run } = await fork(async () => null);
    const branch = run.lease("a");
    const runtime = { ...run.runtime, registry: new Registry([]) };
    expect(await performBranch(runtime, { branch, leaseUntil: Infinity })).toMatchObject({
      outcome: "dead",
      failure: { code: "workflow_not_found" },
    });
  });

  test("whose step was removed is dropped by the next turn, and what it gives reaches nobody", async () => {
    const { run } = await fork(async (steps) => {
      await steps.run("a", () => "a");
      return steps.run("c", () => "c");
    });
    run.give("b", run.lease("b").branchTurn, "b");
    expect(await run.finish()).toMatchObject({ status: "completed", output: { json: "c" } });
    expect(run.journal.map(({ key }) => key)).toEqual(["a", "c"]);
    expect(run.inbox).toEqual([]);
  });
});

describe("changes that the journal can follow", () => {
  test.each<[string, Work, number, Work, string[]]>([
    ["a step added at the end", inTurn("a", "b"), 1, inTurn("a", "b", "c"), ["a", "b", "c"]],
    ["a step added just after what is done", inTurn("a", "b"), 1, inTurn("a", "new", "b"), ["a", "new", "b"]],
    ["a step removed that was not reached", inTurn("a", "b", "c"), 1, inTurn("a", "c"), ["a", "c"]],
    [
      "a loop that got longer",
      inTurn("page", "page", "end"),
      1,
      inTurn("page", "page", "page", "end"),
      ["page", "page#2", "page#3", "end"],
    ],
    [
      "a map that got longer",
      async (steps) => steps.map("a", [1, 2], (n) => n).then(() => steps.sleep("nap", "1 hour")),
      1,
      async (steps) => steps.map("a", [1, 2, 3], (n) => n),
      ["a[0]", "a[1]", "a[2]"],
    ],
    [
      "steps that now run side by side",
      inTurn("a", "b", "c"),
      2,
      async (steps) => {
        await Promise.all([steps.run("b", () => 2), steps.run("a", () => 1)]);
        await wander(9);
        await steps.run("c", () => 3);
      },
      ["a", "b", "c"],
    ],
  ])("%s: the run goes on and repeats no step (J1)", async (_, before, turns, after, performed) => {
    const { run, decision } = await redeploy(before, turns, after);
    expect(decision.status).not.toBe("dead");
    if (decision.status === "ready" || decision.status === "waiting") await run.finish();
    expect(run.last?.status).toBe("completed");
    expect(run.performed).toEqual(performed);
  });

  test("a sleep that is changed while it is under way ends when it was going to (J1)", async () => {
    const nap =
      (days: number): Work =>
      async (steps) =>
        steps.sleep("nap", { days });
    const { run, decision } = await redeploy(nap(1), 1, nap(9));
    expect(decision).toMatchObject({ status: "waiting", wakeAt: run.now + 86_400_000 });
  });
});

test("a failed step's error in a replay is the one of the first run", async () => {
  const told: unknown[] = [];
  const run = new SimulatedRun(
    workflowOf(async (steps) => {
      await steps
        .run("a", () => Promise.reject(new RangeError("too far")), { retry: { maxAttempts: 1 } })
        .catch((error: StepFailed) =>
          told.push([error instanceof StepFailed, error.message, (error.cause as Error).name]),
        );
      await steps.run("b", () => 2);
    }),
  );
  expect(await run.finish()).toMatchObject({ status: "completed" });
  expect(told[0]).toEqual([true, 'Step "a" failed after its only attempt: too far', "RangeError"]);
  expect(told[1]).toEqual(told[0]);
});
