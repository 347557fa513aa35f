/** Steps that run at most once: noted before they begin, and a person's to judge when they were cut off. */
import { describe, expect, test } from "vitest";
import type { Steps } from "../../src/engine/workflow.ts";
import { performBranch } from "../../src/runtime/perform-branch.ts";
import { deliveryOf, SimulatedRun, simulate, workflowOf } from "../engine/support.ts";

const pay = (step: Steps) =>
  step.run("pay", ({ attempt }) => `paid in attempt ${attempt}`, { atMostOnce: true });

/** A run whose payment began and was cut off. */
async function cutOff(work: (step: Steps) => Promise<unknown> = pay): Promise<SimulatedRun> {
  const run = new SimulatedRun(workflowOf(work));
  await run.turn();
  await run.begin("pay");
  run.loseBranch("pay");
  await run.turn();
  return run;
}

describe("a step that runs at most once", () => {
  test("is a branch although it is alone, and is noted before its body begins", async () => {
    const noted: unknown[] = [];
    const run: SimulatedRun = new SimulatedRun(
      workflowOf((step) =>
        step.run("pay", () => void noted.push(run.branches[0]?.started), { atMostOnce: true }),
      ),
    );
    expect(await run.turn()).toMatchObject({ status: "waiting", branches: [{ key: "pay" }] });
    await run.perform("pay");
    expect(await run.turn()).toMatchObject({ status: "completed" });
    expect(noted).toEqual([true]);
  });

  test("does not begin when its lease is lost before it could be noted", async () => {
    const run = new SimulatedRun(
      workflowOf((step) => step.run("pay", () => expect.fail("performed"), { atMostOnce: true })),
    );
    await run.turn();
    const branch = run.lease("pay");
    Object.assign(run.runtime.store, { startBranch: async () => false });
    expect(await performBranch(run.runtime, { branch, leaseUntil: Infinity })).toBeNull();
  });

  test("that throws has failed, and is not tried again", async () => {
    const { decision, run } = await simulate(
      workflowOf((step) => step.run("pay", () => Promise.reject(new Error("no")), { atMostOnce: true })),
    );
    expect(decision).toMatchObject({ status: "failed", failure: { step: "pay" } });
    expect(run.performed).toEqual(["pay"]);
  });

  test("cannot ask for more attempts, and may ask for one", async () => {
    const { decision } = await simulate(
      workflowOf((step) => step.run("pay", () => 1, { atMostOnce: true, retry: { maxAttempts: 2 } })),
    );
    expect(decision).toMatchObject({ status: "failed", failure: { code: "invalid_step" } });
    const { decision: fine } = await simulate(
      workflowOf((step) => step.run("pay", () => 1, { atMostOnce: true, retry: { maxAttempts: 1 } })),
    );
    expect(fine).toMatchObject({ status: "completed" });
  });

  test("that was lost before it was noted is begun again", async () => {
    const run = new SimulatedRun(workflowOf(pay));
    await run.turn();
    run.lease("pay");
    run.loseBranch("pay");
    expect(await run.finish()).toMatchObject({ status: "completed", output: { json: "paid in attempt 1" } });
  });
});

describe("one that was cut off", () => {
  test("waits for a person, and for nothing else", async () => {
    const run = await cutOff();
    expect(run.last).toMatchObject({
      status: "waiting",
      wakeAt: null,
      wakeInMs: null,
      entries: [{ key: "pay", outcome: "unknown", attempt: 1, failure: { code: "outcome_unknown" } }],
      waits: [{ key: "pay", kind: "person", name: "pay", due: null }],
      branches: [],
    });
    expect(await run.turn()).toMatchObject({ status: "waiting", waits: [], branches: [], entries: [] });
    expect(run.performed).toEqual(["pay"]);
  });

  test("goes on with what the person says it gave", async () => {
    const run = await cutOff(async (step) => [await pay(step), await step.run("ship", () => "shipped")]);
    run.word("pay", { outcome: "completed", output: { json: "receipt 7", meta: null } });
    expect(await run.turn()).toMatchObject({
      status: "completed",
      output: { json: ["receipt 7", "shipped"] },
      endedWaits: ["pay"],
    });
    expect(run.performed).toEqual(["pay", "ship"]);
  });

  test("is done again when the person says so, under the next attempt and the same idempotency key", async () => {
    const run = await cutOff();
    run.word("pay", { outcome: "again" });
    expect(await run.turn()).toMatchObject({
      status: "waiting",
      endedWaits: ["pay"],
      branches: [{ key: "pay", attempt: 3 }],
    });
    await run.perform("pay");
    expect(await run.turn()).toMatchObject({ status: "completed", output: { json: "paid in attempt 3" } });
    expect(run.journal.map(({ outcome, attempt }) => [outcome, attempt])).toEqual([
      ["unknown", 1],
      ["retrying", 2],
      ["completed", 3],
    ]);
  });

  test("can be cut off and judged again, as often as it takes", async () => {
    const run = await cutOff();
    for (let i = 0; i < 3; i++) {
      run.word("pay", { outcome: "again" });
      await run.turn();
      await run.begin("pay");
      run.loseBranch("pay");
      expect(await run.turn()).toMatchObject({ status: "waiting", waits: [{ key: "pay", kind: "person" }] });
    }
    run.word("pay", { outcome: "completed", output: null });
    expect(await run.turn()).toMatchObject({ status: "completed", output: null });
    expect(run.performed).toHaveLength(4);
  });

  test("takes nothing but a person's word, should its branch be heard of after all", async () => {
    const run = await cutOff();
    const late = { id: 99, kind: "branch", name: "pay", outcome: "completed", arrivedAt: run.now } as const;
    run.inbox.push(deliveryOf(late));
    expect(await run.turn()).toMatchObject({ status: "waiting", entries: [] });
  });

  test("holds up nothing beside it", async () => {
    const run = await cutOff((step) =>
      Promise.all([pay(step), step.run("b", () => "b"), step.sleep("nap", 5)]),
    );
    expect(run.branches.map(({ key }) => key)).toEqual(["b"]);
    await run.perform("b");
    run.now += 5;
    await run.turn();
    expect(run.journal.map(({ key, outcome }) => [key, outcome])).toEqual([
      ["pay", "unknown"],
      ["b", "completed"],
      ["nap", "completed"],
    ]);
    expect(run.last).toMatchObject({ status: "waiting", wakeAt: null });
  });

  test("of which the run is told while its turn is under way waits for a person all the same (I4)", async () => {
    const run = new SimulatedRun(workflowOf((step) => Promise.all([pay(step), step.sleep("nap", "1 day")])));
    await run.turn();
    await run.begin("pay");
    const decision = await run.take();
    run.loseBranch("pay");
    run.commit(decision);
    expect(run.status).toBe("ready");
    expect(await run.turn()).toMatchObject({ waits: [{ key: "pay", kind: "person" }] });
  });
});

describe("a branch that lost its invocation too often", () => {
  test("makes its run dead, naming why; a revive tries it again", async () => {
    const run = new SimulatedRun(
      workflowOf((step) => Promise.all([step.run("a", () => "a"), step.run("b", () => "b")])),
    );
    await run.turn();
    await run.begin("a");
    run.loseBranch("a", true);
    expect(await run.turn()).toMatchObject({
      status: "dead",
      failure: { code: "lost_turns_exhausted" },
      consumed: [{ id: 1, key: "a" }],
    });
    run.revive();
    expect(await run.finish()).toMatchObject({ status: "completed", output: { json: ["a", "b"] } });
    expect(run.performed.toSorted()).toEqual(["a", "a", "b"]);
  });
});
