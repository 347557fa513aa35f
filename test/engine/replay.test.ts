import { afterEach, describe, expect, test } from "vitest";
import * as z from "zod";
import { InvalidStep, NonRetryableError, StepFailed } from "../../src/engine/errors.ts";
import { Replay } from "../../src/engine/plan/replay.ts";
import { type Retry, RetryableError } from "../../src/engine/retry.ts";
import { type AnyWorkflow, defineWorkflow, type StepOptions, type Steps } from "../../src/engine/workflow.ts";
import { addresses, claimedRun, edgesOf, NOON, rest, SimulatedRun, simulate, workflowOf } from "./support.ts";

const DAY = 86_400_000;
const once = { retry: { maxAttempts: 1 } };
const fail = (message: string) => () => Promise.reject(new Error(message));

const unhandled: unknown[] = [];
const note = (reason: unknown) => void unhandled.push(reason);
process.on("unhandledRejection", note);
afterEach(() => {
  expect(unhandled.splice(0)).toEqual([]);
});

describe("a workflow", () => {
  test("is given its input, the facts of its run, and what its steps return", async () => {
    const workflow = defineWorkflow({ name: "test" }, async ({ input, run, step }) => {
      const doubled = await step.run("double", () => (input as { n: number }).n * 2);
      return { doubled, id: run.id, startedAt: run.startedAt };
    });
    const { decision, run } = await simulate(workflow, { n: 21 });
    expect(decision).toMatchObject({ status: "completed", failure: null });
    expect(decision.output?.json).toEqual({
      doubled: 42,
      id: "run-1",
      startedAt: new Date(NOON).toISOString(),
    });
    expect(run.performed).toEqual(["double"]);
    expect(run.turns).toBe(1);
  });

  test("of n steps takes n turns, and each performs one step", async () => {
    const { run } = await simulate(
      workflowOf(async (step) => {
        for (let i = 0; i < 7; i++) await step.run("page", () => i);
      }),
    );
    expect(run.turns).toBe(7);
    expect(run.performed).toEqual(["page", "page#2", "page#3", "page#4", "page#5", "page#6", "page#7"]);
  });

  test("without a step is over in its first turn", async () => {
    const { decision, run } = await simulate(workflowOf(async () => "at once"));
    expect(decision).toMatchObject({ status: "completed", output: { json: "at once" }, entries: [] });
    expect(run.turns).toBe(1);
  });

  test("that throws before its first await has failed; it does not take the turn with it", async () => {
    const sudden = () => {
      throw new RangeError("at once");
    };
    expect((await simulate(workflowOf(sudden))).decision).toMatchObject({
      status: "failed",
      failure: { name: "RangeError", message: "at once" },
    });
  });

  test("sees in its first run what it sees in a replay: a copy of its own, with dates as dates", async () => {
    const seen: unknown[] = [];
    const workflow = workflowOf(async (step) => {
      const given = await step.run("a", () => ({ zz: 1, b: new Date(0), list: [1] }));
      seen.push(Object.keys(given), structuredClone(given));
      given.list.push(2);
      await step.run("b", () => null);
      return given;
    });
    const { decision } = await simulate(workflow);
    expect(seen.slice(0, 2)).toEqual([["b", "zz", "list"], { zz: 1, b: new Date(0), list: [1] }]);
    expect(seen.slice(2, 4)).toEqual(seen.slice(0, 2));
    expect(decision.output?.json).toMatchObject({ list: [1, 2] });
  });

  test("a step that returns nothing gives undefined, in the first run and in a replay", async () => {
    const given: unknown[] = [];
    await simulate(
      workflowOf(async (step) => {
        given.push(await step.run("a", () => {}));
        await step.run("b", () => null).then((value) => given.push(value));
      }),
    );
    expect(given).toEqual([undefined, undefined, null]);
  });

  test("may pass its steps to helpers", async () => {
    const charge = (step: Steps) => step.run("charge", () => "charged");
    const { decision } = await simulate(workflowOf(async (step) => [await charge(step), await charge(step)]));
    expect(decision.output?.json).toEqual(["charged", "charged"]);
  });
});

describe("a step that fails", () => {
  test("is tried again under the same key, and the workflow sees nothing of it", async () => {
    const attempts: number[] = [];
    const { decision, run } = await simulate(
      workflowOf((step) =>
        step.run("a", ({ attempt }) => {
          attempts.push(attempt);
          return attempt < 3 ? Promise.reject(new Error("not yet")) : "done";
        }),
      ),
    );
    expect(decision).toMatchObject({ status: "completed", output: { json: "done" } });
    expect(attempts).toEqual([1, 2, 3]);
    expect(run.journal.map(({ key, outcome, attempt }) => [key, outcome, attempt])).toEqual([
      ["a", "retrying", 1],
      ["a", "retrying", 2],
      ["a", "completed", 3],
    ]);
  });

  test("waits for its next attempt", async () => {
    const run = new SimulatedRun(
      workflowOf((step) =>
        step.run("a", () => Promise.reject(new RetryableError("busy", { retryAfter: "1 hour" }))),
      ),
    );
    expect(await run.turn()).toMatchObject({ status: "waiting", wakeInMs: 3_600_000, currentStep: "a" });
    run.now += 3_599_999;
    expect(await run.turn()).toMatchObject({ status: "waiting", wakeAt: NOON + 3_600_000, entries: [] });
    run.now += 1;
    await run.turn();
    expect(run.performed).toEqual(["a", "a"]);
  });

  test("for good rejects with StepFailed, which the workflow may catch and go on", async () => {
    const { decision } = await simulate(
      workflowOf(async (step) => {
        const caught = await step
          .run("charge", fail("declined"), { retry: { maxAttempts: 2 } })
          .catch((e: unknown) => e);
        expect(caught).toBeInstanceOf(StepFailed);
        const { step: name, attempts } = caught as StepFailed;
        return [name, attempts, await step.run("apologise", () => "sorry")];
      }),
    );
    expect(decision).toMatchObject({ status: "completed", output: { json: ["charge", 2, "sorry"] } });
  });

  test("for good and uncaught is the run's failure, with the step's name", async () => {
    const { decision, run } = await simulate(workflowOf((step) => step.run("charge", fail("declined"))));
    expect(run.performed).toHaveLength(3);
    expect(decision).toMatchObject({
      status: "failed",
      failure: {
        code: "step_failed",
        step: "charge",
        message: 'Step "charge" failed after 3 attempts: declined',
      },
    });
  });

  test("is not tried again when it says so, and not when what it returns cannot be stored", async () => {
    for (const body of [() => Promise.reject(new NonRetryableError("")), () => ({ now: () => 1 })]) {
      const { decision, run } = await simulate(workflowOf((step) => step.run("a", body as () => unknown)));
      expect(decision.status).toBe("failed");
      expect(run.performed).toEqual(["a"]);
    }
  });

  test("while nobody listens is not an unhandled rejection, and can be caught later", async () => {
    const { decision } = await simulate(
      workflowOf(async (step) => {
        const background = step.run("background", fail("no"), once);
        await step.run("a", () => null);
        await step.run("b", () => null);
        return background.catch((error: StepFailed) => error.step);
      }),
    );
    expect(decision).toMatchObject({ status: "completed", output: { json: "background" } });
  });

  test("in a branch that lost its race troubles nobody", async () => {
    const { decision } = await simulate(
      workflowOf(async (step) => {
        const winner = await Promise.race([
          step.run("quick", () => "quick"),
          step.run("slow", fail("slow"), once),
        ]);
        await step.run("end", () => null);
        return winner;
      }),
      null,
      (edges) =>
        edges.find((edge) => edge.key === "slow" && edges.length === 2 && edges[0]?.key !== "quick") ??
        edges[0],
    );
    expect(decision).toMatchObject({ status: "completed", output: { json: "quick" } });
  });
});

describe("a sleep", () => {
  test("parks the run until it is over, and is journaled then", async () => {
    const run = new SimulatedRun(workflowOf((step) => step.sleep("nap", "1 day")));
    expect(await run.turn()).toMatchObject({
      status: "waiting",
      wakeInMs: DAY,
      timers: [{ key: "nap", due: { inMs: DAY } }],
      entries: [],
    });
    run.now += DAY - 1;
    expect(await run.turn()).toMatchObject({ status: "waiting", wakeAt: NOON + DAY, timers: [] });
    run.now += 1;
    expect(await run.turn()).toMatchObject({ status: "completed", entries: [{ kind: "sleep", key: "nap" }] });
  });

  test("until a date that has passed is over at once", async () => {
    const run = new SimulatedRun(workflowOf((step) => step.sleepUntil("nap", new Date(NOON - DAY))));
    expect(await run.turn()).toMatchObject({ status: "waiting", wakeAt: NOON - DAY });
    expect(await run.turn()).toMatchObject({ status: "completed" });
  });

  test("of no time at all is due at once", async () => {
    const run = new SimulatedRun(workflowOf((step) => step.sleep("nap", 0)));
    expect(await run.turn()).toMatchObject({ status: "ready", wakeInMs: 0 });
    expect(await run.turn()).toMatchObject({ status: "completed" });
  });

  test("of ten years is allowed, and one of 25 days does not overflow anything", async () => {
    for (const days of [25, 3_650]) {
      const { run } = await simulate(workflowOf((step) => step.sleep("nap", { days })));
      expect(run.now).toBe(NOON + days * DAY);
    }
  });

  test("that is shorter ends first, whatever the order in which they were asked for", async () => {
    const { decision } = await simulate(
      workflowOf(async (step) => {
        const seen: string[] = [];
        const nap = (name: string, days: number) => step.sleep(name, { days }).then(() => seen.push(name));
        await Promise.all([nap("long", 3), nap("short", 1), nap("middle", 2)]);
        return seen;
      }),
    );
    expect(decision.output?.json).toEqual(["short", "middle", "long"]);
  });

  test("can be raced by a step: the timer of the loser stays and does no harm", async () => {
    const { decision, run } = await simulate(
      workflowOf(async (step) => {
        const first = await Promise.race([
          step.sleep("limit", "1 day").then(() => "late"),
          step.run("work", () => "done"),
        ]);
        await step.run("end", () => null);
        return first;
      }),
    );
    expect(decision).toMatchObject({ status: "completed", output: { json: "done" } });
    expect(run.now).toBe(NOON);
  });
});

describe("suspending is reached, never thrown (I8)", () => {
  test.each<[string, (step: Steps) => Promise<unknown>]>([
    ["a sleep", (step) => step.sleep("wait", "1 day")],
    ["a date", (step) => step.sleepUntil("wait", new Date(NOON + DAY))],
    [
      "the next attempt of a step",
      (step) =>
        step.run("wait", ({ attempt }) =>
          attempt === 1 ? Promise.reject(new RetryableError("busy", { retryAfter: "1 day" })) : null,
        ),
    ],
  ])("a catch, a finally and a then around %s run once, when it is over", async (_, wait) => {
    const seen: string[] = [];
    const run = new SimulatedRun(
      workflowOf(async (step) => {
        const mark = (what: string) => void seen.push(what);
        try {
          await wait(step).then(
            () => mark("then"),
            () => mark("catch"),
          );
        } catch {
          mark("catch");
        } finally {
          mark("finally");
        }
      }),
    );
    expect(await run.turn()).toMatchObject({ status: "waiting" });
    expect(await run.turn()).toMatchObject({ status: "waiting" });
    expect(seen).toEqual([]);
    run.now += DAY;
    expect(await run.turn()).toMatchObject({ status: "completed" });
    expect(seen).toEqual(["then", "finally"]);
  });

  test("a loop that catches everything cannot outrun a sleep", async () => {
    let rounds = 0;
    const run = new SimulatedRun(
      workflowOf(async (step) => {
        for (;;) {
          rounds += 1;
          await step.sleep("nap", "1 day").catch(() => {});
        }
      }),
    );
    await run.turn();
    expect(rounds).toBe(1);
  });
});

describe("a workflow that awaits something that is not a step", () => {
  test("and nothing else is stalled: dead, and told what to do", async () => {
    const { decision } = await simulate(
      workflowOf(async (step) => {
        await step.run("a", () => 1);
        await new Promise(() => {});
      }),
    );
    expect(decision).toMatchObject({
      status: "dead",
      failure: {
        code: "workflow_stalled",
        message: expect.stringContaining("Wrap timers, fetches and other I/O in step.run"),
      },
      entries: [{ key: "a", outcome: "completed" }],
    });
  });

  test("is not asked for ever whether it goes on", async () => {
    let asked = 0;
    const patient = {
      settled: rest.settled,
      grace: () => {
        asked += 1;
        return rest.grace();
      },
    };
    const plan = await new Replay(
      workflowOf(() => new Promise(() => {})),
      claimedRun(),
      patient,
      addresses,
    ).start(null);
    expect(plan.state).toBe("stuck");
    expect(asked).toBeGreaterThan(1);
    expect(asked).toBeLessThan(200);
  });

  test("that does come goes on, and is replayed right", async () => {
    const tasks = async (count: number) => {
      for (let i = 0; i < count; i++) await new Promise<void>((resolve) => void setImmediate(resolve));
    };
    const { decision, run } = await simulate(
      workflowOf(async (step) => {
        await tasks(3);
        const a = await step.run("a", () => "a");
        await tasks(9);
        const b = await step.run("b", () => "b");
        await tasks(1);
        const c = await step.run("c", () => "c");
        await tasks(20);
        return [a, b, c];
      }),
    );
    expect(decision).toMatchObject({ status: "completed", output: { json: ["a", "b", "c"] } });
    expect(run.performed).toEqual(["a", "b", "c"]);
    expect(await run.plan()).toMatchObject({ state: "finished", output: ["a", "b", "c"] });
  });

  test("that real time brings goes on, once the grace is given", async () => {
    let ring = () => {};
    const bell = () =>
      new Promise<void>((resolve) => {
        ring = resolve;
      });
    let graces = 0;
    const slow = {
      settled: rest.settled,
      grace: async () => {
        graces += 1;
        if (graces % 5 === 0) ring();
        await rest.settled();
      },
    };
    const workflow = workflowOf(async (step) => {
      await bell();
      return step.run("a", () => 1);
    });
    const plan = await new Replay(workflow, claimedRun(), slow, addresses).start(null);
    expect(edgesOf(plan).map((edge) => edge.key)).toEqual(["a"]);
    expect(graces).toBe(5);
  });
});

describe("a step that cannot be recorded is refused where it is called", () => {
  const anyway = (step: Steps) =>
    step as unknown as {
      run(...given: unknown[]): Promise<unknown>;
      sleep(...given: unknown[]): Promise<void>;
      sleepUntil(...given: unknown[]): Promise<void>;
    };

  test.each<[string, (step: ReturnType<typeof anyway>) => Promise<unknown>, string, RegExp]>([
    ["an empty name", (step) => step.run("", () => 1), "invalid_step", /needs a name/],
    ["no name", (step) => step.run(undefined, () => 1), "invalid_step", /needs a name/],
    ["a number as name", (step) => step.run(7, () => 1), "invalid_step", /needs a name/],
    [
      "a name of 201 characters",
      (step) => step.run("x".repeat(201), () => 1),
      "invalid_step",
      /longer than 200/,
    ],
    ["a name with #", (step) => step.run("a#2", () => 1), "invalid_step", /"a#2" must not hold "#"/],
    ["a name with U+0000", (step) => step.run("a\u0000", () => 1), "invalid_step", /U\+0000/],
    [
      "a name with half a surrogate pair",
      (step) => step.run("a\ud800", () => 1),
      "invalid_step",
      /surrogate/,
    ],
    ["a sleep with #", (step) => step.sleep("a#2", 1), "invalid_step", /must not hold "#"/],
    ["no body", (step) => step.run("a"), "invalid_step", /"a" needs a function/],
    [
      "a promise as body",
      (step) => step.run("a", Promise.resolve(1)),
      "invalid_step",
      /"a" needs a function/,
    ],
    [
      "a timeout that cannot be read",
      (step) => step.run("a", () => 1, { timeout: "soon" }),
      "invalid_duration",
      /"soon"/,
    ],
    ["a sleep that cannot be read", (step) => step.sleep("a", "1 month"), "invalid_duration", /"1 month"/],
    ["a sleep of a BigInt", (step) => step.sleep("a", 1n), "invalid_duration", /cannot be read/],
    ["a sleep of a hundred years", (step) => step.sleep("a", "36500 days"), "invalid_duration", /ten years/],
    ["a sleep of NaN", (step) => step.sleep("a", Number.NaN), "invalid_duration", /NaN/],
    ["a sleep of nothing", (step) => step.sleep("a"), "invalid_duration", /undefined/],
    ["a date that is none", (step) => step.sleepUntil("a", new Date("soon")), "invalid_step", /valid Date/],
    ["a text as date", (step) => step.sleepUntil("a", "2030-01-01"), "invalid_step", /valid Date/],
    [
      "a date in a hundred years",
      (step) => step.sleepUntil("a", new Date(NOON + 36_500 * DAY)),
      "invalid_duration",
      /ten years/,
    ],
  ])("%s (E5)", async (_, call, code, sentence) => {
    const { decision, run } = await simulate(workflowOf((step) => call(anyway(step))));
    expect(decision).toMatchObject({ status: "failed", failure: { code }, entries: [], timers: [] });
    expect(decision.failure?.message).toMatch(sentence);
    expect(run.performed).toEqual([]);
  });

  test.each<[Retry | string]>([
    [{ maxAttempts: 0 }],
    [{ maxAttempts: -1 }],
    [{ maxAttempts: 1.5 }],
    [{ maxAttempts: Number.NaN }],
    [{ maxAttempts: Number.POSITIVE_INFINITY }],
    [{ maxAttempts: "3" as unknown as number }],
    [{ maxAttempts: null as unknown as number }],
    [{ delay: "soon" as "1 s" }],
    [{ delay: -1 }],
    [{ maxDelay: Number.NaN }],
    [{ backoff: "linear" as "fixed" }],
  ])("retry: %j", async (retry) => {
    const options = { retry } as StepOptions;
    const { decision, run } = await simulate(workflowOf((step) => step.run("a", () => 1, options)));
    expect(decision.status).toBe("failed");
    expect(run.performed).toEqual([]);
  });

  test("options given as undefined are options not given", async () => {
    const options = {
      retry: { maxAttempts: undefined, delay: undefined },
      timeout: undefined,
    } as unknown as StepOptions;
    const { decision, run } = await simulate(workflowOf((step) => step.run("a", fail("no"), options)));
    expect(decision.status).toBe("failed");
    expect(run.performed).toHaveLength(3);
  });

  test("a name of 200 characters is fine, and so are emoji, blanks and the names of Object's own", async () => {
    const names = ["x".repeat(200), "charge 💳", " ", "__proto__", "constructor"];
    const { run } = await simulate(
      workflowOf(async (step) => {
        for (const name of [...names, "__proto__"]) await step.run(name, () => 1);
      }),
    );
    expect(run.performed).toEqual([...names, "__proto__#2"]);
  });

  test("a refusal can be caught, and takes no key", async () => {
    const { run } = await simulate(
      workflowOf(async (step) => {
        await anyway(step)
          .run("a")
          .catch((error: unknown) => expect(error).toBeInstanceOf(InvalidStep));
        await step.run("a", () => 1);
      }),
    );
    expect(run.performed).toEqual(["a"]);
  });

  test("a step inside the body of a step is refused at once, and not tried again", async () => {
    for (const inner of [
      (step: Steps) => step.run("inner", () => 1),
      (step: Steps) => step.sleep("inner", 1),
    ]) {
      const { decision, run } = await simulate(
        workflowOf((step) => step.run("outer", async () => void (await inner(step)))),
      );
      expect(decision).toMatchObject({
        status: "failed",
        failure: { step: "outer", cause: { code: "invalid_step" } },
      });
      expect(decision.failure?.message).toContain(
        '"inner" was called while step "outer" ran: inside its body',
      );
      expect(run.performed).toEqual(["outer"]);
    }
  });
});

describe("a revived run", () => {
  test("tries the step again whose failure ended it, with a full budget and without repeating what is done", async () => {
    let mended = false;
    const workflow = workflowOf(async (step) => {
      await step.run("a", () => 1);
      return step.run("b", ({ attempt }) => (mended ? attempt : Promise.reject(new Error("no"))));
    });
    const { run } = await simulate(workflow);
    expect(run.last?.status).toBe("failed");
    run.revive();
    expect(await run.finish()).toMatchObject({ status: "failed", failure: { step: "b" } });
    expect(run.performed).toEqual(["a", "b", "b", "b", "b", "b", "b"]);
    mended = true;
    run.revive();
    expect(await run.finish()).toMatchObject({ status: "completed", output: { json: 7 } });
    const attempts = run.journal.filter((entry) => entry.key === "b").map((entry) => entry.attempt);
    expect(attempts).toEqual([1, 2, 3, 4, 5, 6, 7]);
  });

  test("does not try a step again whose failure was caught long before", async () => {
    let mended = false;
    const workflow = workflowOf(async (step) => {
      const a = await step.run("a", fail("caught"), once).catch(() => "caught");
      await step.run("b", () => (mended ? 1 : Promise.reject(new Error("no"))), once);
      return a;
    });
    const { run } = await simulate(workflow);
    mended = true;
    run.revive();
    expect(await run.finish()).toMatchObject({ status: "completed", output: { json: "caught" } });
    expect(run.performed).toEqual(["a", "b", "b"]);
  });

  test("does not try a step again whose failure was caught, though nothing came after it but the verdict", async () => {
    const { run } = await simulate(
      workflowOf(async (step) => {
        await step.run("a", fail("caught"), once).catch(() => {});
        throw new Error("not good enough");
      }),
    );
    run.revive();
    expect(await run.finish()).toMatchObject({ status: "failed", failure: { message: "not good enough" } });
    expect(run.performed).toEqual(["a"]);
  });

  test("whose retries were spent by a step that is still being tried gives it its budget back", async () => {
    const run = new SimulatedRun(
      workflowOf((step) => step.run("a", fail("no"), { retry: { maxAttempts: 2, delay: 0 } })),
    );
    await run.turn();
    run.revive();
    await run.turn();
    expect(run.last?.status).toBe("ready");
    expect(await run.finish()).toMatchObject({ status: "failed" });
    expect(run.performed).toEqual(["a", "a", "a"]);
  });

  test("goes on although other steps ended together with the one that failed it, and repeats none of them", async () => {
    let mended = false;
    const run = new SimulatedRun(
      workflowOf((step) =>
        Promise.all([
          step.run("a", () => (mended ? "a" : Promise.reject(new Error("no"))), once),
          step.run("b", () => "b"),
          step.map("m", [1, 2], (n) => n),
        ]),
      ),
    );
    await run.turn();
    for (const key of ["a", "b", "m[1]"]) await run.perform(key);
    expect(await run.turn()).toMatchObject({ status: "failed", failure: { step: "a" } });
    mended = true;
    run.revive();
    expect(await run.finish()).toMatchObject({ status: "completed", output: { json: ["a", "b", [1, 2]] } });
    expect(run.performed.toSorted()).toEqual(["a", "a", "b", "m[0]", "m[1]"]);
  });

  test("waits again for what did not fit, and starts a child again that ended badly", async () => {
    const child = defineWorkflow({ name: "child" }, async () => null);
    const workflow = workflowOf(async (step) => [
      await step.waitForSignal("go", { schema: z.number() }),
      await step.invoke("ask", child, null),
    ]);
    const run = new SimulatedRun(workflow, null, undefined, [child]);
    await run.turn();
    for (const payload of ["one", "two"]) {
      run.signal("go", payload);
      expect(await run.turn()).toMatchObject({ status: "failed", failure: { step: "go" } });
      run.revive();
      expect(await run.turn()).toMatchObject({ status: "waiting", waits: [{ key: "go" }] });
    }
    run.signal("go", 3);
    await run.turn();
    run.endChild("ask", "dead");
    expect(await run.turn()).toMatchObject({
      status: "failed",
      failure: { code: "child_failed", step: "ask" },
    });
    run.revive();
    expect(await run.turn()).toMatchObject({ status: "waiting", effects: [{ kind: "start" }] });
    run.endChild("ask", "completed", { output: 4 });
    expect(await run.turn()).toMatchObject({ status: "completed", output: { json: [3, 4] } });
    expect(run.journal.filter(({ key }) => key === "go").map(({ attempt }) => attempt)).toEqual([1, 2, 3]);
  });

  test("does again what could not be done at once", async () => {
    const child = defineWorkflow({ name: "child" }, async () => null);
    const others: AnyWorkflow[] = [];
    const run = new SimulatedRun(
      workflowOf((step) => step.start("fire", child, null)),
      null,
      undefined,
      others,
    );
    expect(await run.turn()).toMatchObject({ status: "failed", failure: { step: "fire" } });
    others.push(child);
    run.revive();
    expect(await run.turn()).toMatchObject({ status: "completed", effects: [{ kind: "start" }] });
    expect(run.journal.at(-1)).toMatchObject({ key: "fire", outcome: "completed", attempt: 2 });
  });

  test("whose code went on after the failure ends as it did: nothing is repeated, nothing is mixed up", async () => {
    const workflow = workflowOf(async (step) => {
      try {
        return await step.run("fetch", fail("no"), once);
      } catch (error) {
        await step.run("fetch", () => "told the owner");
        throw error;
      }
    });
    const { run } = await simulate(workflow);
    expect(run.last).toMatchObject({ status: "failed", failure: { step: "fetch" } });
    run.revive();
    expect(await run.finish()).toMatchObject({ status: "failed", failure: { step: "fetch" } });
    expect(run.performed).toEqual(["fetch", "fetch#2"]);
  });
});
