/** Connections to the database that break or fall silent, at each place of a turn and of a request. */
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import type { Verb } from "../support/faulty-gateway.ts";
import { eventually } from "../support/waiting.ts";
import { createWorld, type World } from "../support/world.ts";

const GRACE_MS = 15_000;

let world: World;

beforeAll(async () => {
  world = await createWorld({ PAWL_LOST_TURN_LIMIT: "2", PAWL_DATABASE_TIMEOUT_MS: "500" });
});
afterEach(() => world.settle());
afterAll(() => world?.stop());

const steps = (id: string) => world.ledger.of(id).map(({ step }) => step);
const lines = async (id: string) =>
  (await world.journal(id)).map(({ key, outcome, attempt }) => `${key} ${outcome} ${attempt}`);
const TWICE = ["count completed 1", "count#2 completed 1"];
const BOTH = ["count 1", "count 2"];

const FATES = [
  { fate: "cut", name: "cut" },
  { fate: "hang", name: "silent (C8)" },
] as const;

describe.for(FATES)("a connection that is $name", ({ fate }) => {
  const inject = (on: Verb, when: "before" | "after", times = 1) =>
    world.gateway.inject({ on, when, times, act: () => fate });

  test("after a commit leaves the commit as it is: the step is not repeated and the run goes on at once (C1)", async () => {
    const fault = inject("commit", "after");
    const id = await world.start("count", { steps: 2 });
    expect(await world.reaches(id, "completed")).toMatchObject({ turn: 2, lost_turns: 0 });
    expect(fault.count).toBe(1);
    expect(world.gateway.count("read back")).toBe(1);
    expect(await lines(id)).toEqual(TWICE);
    expect(steps(id)).toEqual(BOTH);
  });

  test("before a commit is tried again, without the step running again (C2)", async () => {
    const fault = inject("commit", "before", 2);
    const id = await world.start("count", { steps: 2 });
    expect(await world.reaches(id, "completed")).toMatchObject({ turn: 2, lost_turns: 0 });
    expect(fault.count).toBe(2);
    expect(await lines(id)).toEqual(TWICE);
    expect(steps(id)).toEqual(BOTH);
  });

  test("during every try of a commit leaves the run to its lease (C2)", async () => {
    const fault = inject("commit", "before", 5);
    const id = await world.start("count", { steps: 2 });
    await eventually("the fifth try is cut", () => fault.count === 5);
    expect(await world.run(id)).toMatchObject({ status: "running", turn: 1, steps_done: 0 });
    await world.expireLeases();
    await world.reaches(id, "completed");
    expect(await lines(id)).toEqual(TWICE);
    expect(steps(id)).toEqual(["count 1", ...BOTH]);
    expect(new Set(world.ledger.of(id).map(({ idempotencyKey }) => idempotencyKey)).size).toBe(2);
  });

  test("after a claim costs a lease and runs nothing twice (C1)", async () => {
    const fault = inject("claim", "after");
    const id = await world.start("count", { steps: 2 });
    await fault.injected;
    await eventually("the message is to come again", () => world.broker.retries === 1);
    expect(await world.run(id)).toMatchObject({ status: "running", turn: 1 });
    expect(steps(id)).toEqual([]);
    await world.expireLeases();
    await world.reaches(id, "completed");
    expect(await lines(id)).toEqual(TWICE);
    expect(steps(id)).toEqual(BOTH);
  });

  test("before a claim makes the message come again (C2)", async () => {
    const fault = inject("claim", "before");
    const id = await world.start("count", { steps: 2 });
    await fault.injected;
    await eventually("the message is to come again", () => world.broker.retries === 1);
    expect(await world.run(id)).toMatchObject({ status: "ready", turn: 0 });
    world.broker.hurry();
    expect(await world.reaches(id, "completed")).toMatchObject({ turn: 2, lost_turns: 0 });
  });

  test("after a start answers 503, and the same key finds the run that was started (C1)", async () => {
    const fault = inject("start", "after");
    const start = () =>
      world.worker.post("/api/workflows/count/runs", { input: { steps: 2 } }, { "idempotency-key": "one" });
    const lost = await start();
    expect(lost).toMatchObject({ status: 503, body: { error: { code: "store_unavailable" } } });
    expect(fault.count).toBe(1);
    const [run] = await world.database.rows<{ id: string }>("select id from pawl.runs");
    const again = await start();
    expect(again).toMatchObject({ status: 200, body: { id: run?.id } });
    await world.database.moveClock(GRACE_MS + 1);
    await world.worker.tick();
    await world.reaches(run?.id ?? "", "completed");
  });

  test("before a start answers 503 and starts nothing (C2)", async () => {
    const fault = inject("start", "before");
    const lost = await world.worker.post("/api/workflows/count/runs", { input: { steps: 2 } });
    expect(lost).toMatchObject({ status: 503, body: { error: { code: "store_unavailable" } } });
    expect(fault.count).toBe(1);
    expect(await world.database.rows("select id from pawl.runs")).toEqual([]);
  });

  test("after a cancel answers 503, and cancelling again says that it is done (C1, G4)", async () => {
    world.broker.deliveries = () => 0;
    const id = await world.start("count", { steps: 2 });
    inject("cancel", "after");
    expect(await world.worker.post(`/api/runs/${id}/cancel`)).toMatchObject({ status: 503 });
    expect(await world.run(id)).toMatchObject({ status: "cancelled", turn: 1 });
    expect(await world.worker.post(`/api/runs/${id}/cancel`)).toMatchObject({
      status: 200,
      body: { turn: 1 },
    });
  });

  test("before a cancel answers 503 and cancels nothing (C2)", async () => {
    world.broker.deliveries = () => 0;
    const id = await world.start("count", { steps: 2 });
    inject("cancel", "before");
    expect(await world.worker.post(`/api/runs/${id}/cancel`)).toMatchObject({ status: 503 });
    expect(await world.run(id)).toMatchObject({ status: "ready", turn: 0 });
  });

  test("after a revive leaves the run revived, and the sweep wakes it (C1)", async () => {
    world.ledger.onEffect = ({ step }) => (step === "fragile" ? { fail: "broken" } : {});
    const id = await world.start("fragile", { attempts: 1 });
    await world.reaches(id, "failed");
    world.ledger.onEffect = () => {};
    inject("revive", "after");
    expect(await world.worker.post(`/api/dead-letters/${id}/revive`)).toMatchObject({ status: 503 });
    expect(await world.run(id)).toMatchObject({ status: "ready" });
    await world.database.moveClock(GRACE_MS + 1);
    await world.worker.tick();
    await world.reaches(id, "completed");
  });

  test("after a reclaim counts one lost turn, and the sweep wakes the run later (C1)", async () => {
    inject("claim", "after");
    const id = await world.start("count", { steps: 2 });
    await eventually("the run is claimed for nobody", () => world.broker.retries === 1);
    const fault = inject("reclaim", "after");
    await world.expireLeases();
    expect(fault.count).toBe(1);
    expect(await world.reaches(id, "completed")).toMatchObject({ turn: 4, lost_turns: 0 });
  });

  test("after a sweep noted its wake-ups costs a grace (C1)", async () => {
    world.broker.deliveries = () => 0;
    const id = await world.start("count", { steps: 2 });
    world.broker.deliveries = () => 1;
    const fault = inject("collect", "after");
    await world.database.moveClock(GRACE_MS + 1);
    await world.worker.tick();
    expect(fault.count).toBe(1);
    expect(await world.run(id)).toMatchObject({ status: "ready", turn: 0 });
    await world.database.moveClock(GRACE_MS + 1);
    await world.worker.tick();
    await world.reaches(id, "completed");
  });
});

test("a batch whose commit is cut after Postgres took it is read back as a whole (C1)", async () => {
  const fault = world.gateway.inject({ on: "commit", when: "after", times: 3, act: () => "cut" });
  const ids = await world.startMany(
    "count",
    Array.from({ length: 20 }, () => ({ steps: 2 })),
  );
  await world.allReach(ids, "completed");
  expect(fault.count).toBe(3);
  for (const id of ids) {
    expect(await lines(id)).toEqual(TWICE);
    expect(steps(id)).toEqual(BOTH);
  }
});

test("a run that falls silent in its commit holds up no other (C8)", async () => {
  const fault = world.gateway.inject({ on: "commit", when: "before", act: () => "hang" });
  const id = await world.start("count", { steps: 1 });
  await fault.injected;
  const others = await world.startMany(
    "count",
    Array.from({ length: 10 }, () => ({ steps: 2 })),
  );
  await world.allReach(others, "completed");
  await world.reaches(id, "completed");
  expect(steps(id)).toEqual(["count 1"]);
});
