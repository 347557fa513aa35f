/** kill -9 of workerd at each place of a turn. */
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import type { Effect } from "../support/ledger.ts";
import { eventually } from "../support/waiting.ts";
import { createWorld, type World } from "../support/world.ts";

const GRACE_MS = 15_000;

let world: World;
let kills = 0;

beforeAll(async () => {
  world = await createWorld();
});
afterEach(async () => {
  expect(world.worker.kills).toBeGreaterThan(kills);
  kills = world.worker.kills;
  await world.settle();
});
afterAll(() => world?.stop());

const wakeUp = (runId: string) => ({ v: 1, tenant: "default", runId });
const steps = (id: string) => world.ledger.of(id).map(({ step }) => step);
const lines = async (id: string) =>
  (await world.journal(id)).map(({ key, outcome, attempt }) => `${key} ${outcome} ${attempt}`);
const WHOLE = ["count completed 1", "count#2 completed 1", "count#3 completed 1"];

test("killed before the claim, a run is untouched and the queue's second delivery takes it (A1)", async () => {
  const fault = world.gateway.inject({
    on: "claim",
    when: "before",
    act: () => {
      world.worker.kill();
      return "cut";
    },
  });
  const id = await world.start("count", { steps: 3 });
  await fault.injected;
  expect(await world.run(id)).toMatchObject({ status: "ready", turn: 0 });
  await world.worker.restart();
  // The queue had its acknowledgement before the claim was lost, or it had not: either way the run goes on.
  await world.broker.deliver([wakeUp(id)]);
  expect(await world.reaches(id, "completed")).toMatchObject({ turn: 3, lost_turns: 0 });
  expect(await lines(id)).toEqual(WHOLE);
  expect(steps(id)).toEqual(["count 1", "count 2", "count 3"]);
});

test("killed before the claim, with the message gone, the sweep starts the run (A1)", async () => {
  const fault = world.gateway.inject({
    on: "claim",
    when: "before",
    act: () => {
      world.worker.kill();
      return "cut";
    },
  });
  const id = await world.start("count", { steps: 3 });
  await fault.injected;
  world.broker.reset();
  await world.worker.restart();
  expect(await world.run(id)).toMatchObject({ status: "ready", turn: 0 });
  await world.database.moveClock(GRACE_MS + 1);
  await world.worker.tick();
  expect(await world.reaches(id, "completed")).toMatchObject({ turn: 3, lost_turns: 0 });
  expect(steps(id)).toEqual(["count 1", "count 2", "count 3"]);
});

test("killed after the claim and before the step, a run is taken back and each step happens once (A2)", async () => {
  const fault = world.gateway.inject({
    on: "claim",
    when: "after",
    act: () => {
      world.worker.kill();
      return "cut";
    },
  });
  const id = await world.start("count", { steps: 3 });
  await fault.injected;
  await world.worker.restart();
  expect(await world.run(id)).toMatchObject({ status: "running", turn: 1 });
  await world.broker.deliver([wakeUp(id)]);
  await world.worker.tick();
  expect(await world.run(id)).toMatchObject({ status: "running", turn: 1 });
  expect(steps(id)).toEqual([]);
  await world.expireLeases();
  // Turn 1 was lost and turn 2 was its reclaim.
  expect(await world.reaches(id, "completed")).toMatchObject({ turn: 5, lost_turns: 0 });
  expect((await world.journal(id)).map(({ turn }) => turn)).toEqual([3, 4, 5]);
  expect(await lines(id)).toEqual(WHOLE);
  expect(steps(id)).toEqual(["count 1", "count 2", "count 3"]);
});

test("killed after the step's effect, the step runs again under its idempotency key and is journaled once (A3)", async () => {
  world.ledger.onEffect = ({ step }) => {
    if (step === "count 2" && world.worker.kills === kills) world.worker.kill();
  };
  const id = await world.start("count", { steps: 3 });
  await eventually("the worker is killed", () => world.worker.kills > kills);
  await world.worker.restart();
  expect(await world.run(id)).toMatchObject({ status: "running", turn: 2, steps_done: 1 });
  await world.expireLeases();
  expect(await world.reaches(id, "completed")).toMatchObject({ steps_done: 3, lost_turns: 0 });
  expect(await lines(id)).toEqual(WHOLE);
  expect(steps(id)).toEqual(["count 1", "count 2", "count 2", "count 3"]);
  const [, first, second] = world.ledger.of(id) as [Effect, Effect, Effect];
  expect(second.idempotencyKey).toBe(first.idempotencyKey);
  expect(second.attempt).toBe(first.attempt);
  expect(second.invocation).not.toBe(first.invocation);
});

test("killed after the commit and before the wake-up, the step is not repeated and the sweep goes on (A4)", async () => {
  const fault = world.gateway.inject({
    on: "commit",
    when: "after",
    act: () => {
      world.worker.kill();
      return "cut";
    },
  });
  const id = await world.start("count", { steps: 3 });
  await fault.injected;
  await world.worker.restart();
  expect(world.broker.sent).toHaveLength(1);
  expect(await world.run(id)).toMatchObject({ status: "ready", turn: 1, steps_done: 1 });
  await world.database.moveClock(GRACE_MS + 1);
  await world.worker.tick();
  expect(await world.reaches(id, "completed")).toMatchObject({ turn: 3, lost_turns: 0 });
  expect(await lines(id)).toEqual(WHOLE);
  expect(steps(id)).toEqual(["count 1", "count 2", "count 3"]);
});

test("killed after the wake-up was sent, the run goes on by it and what is delivered again does nothing (A5)", async () => {
  world.broker.onSend = () => {
    if (world.gateway.count("commit") === 1 && world.worker.kills === kills) world.worker.kill();
  };
  const id = await world.start("count", { steps: 3 });
  await eventually("the worker is killed", () => world.worker.kills > kills);
  expect(world.broker.sent.map(({ body }) => body)).toEqual([wakeUp(id), wakeUp(id)]);
  await world.worker.restart();
  await world.broker.deliver([wakeUp(id), wakeUp(id)]);
  expect(await world.reaches(id, "completed")).toMatchObject({ turn: 3, lost_turns: 0 });
  await world.broker.deliver([wakeUp(id)]);
  expect(await world.run(id)).toMatchObject({ status: "completed", turn: 3 });
  expect(await lines(id)).toEqual(WHOLE);
  expect(steps(id)).toEqual(["count 1", "count 2", "count 3"]);
});

test("killed while a start is answered, a run that was promised is there and finishes (A1, I9)", async () => {
  const fault = world.gateway.inject({
    on: "start",
    when: "after",
    act: () => {
      world.worker.kill();
      return "cut";
    },
  });
  const start = () =>
    world.worker.post(
      "/api/workflows/count/runs",
      { input: { steps: 3 } },
      { "idempotency-key": "promised" },
    );
  await expect(start()).rejects.toThrow();
  expect(fault.count).toBe(1);
  await world.worker.restart();
  const { status, body } = await start();
  expect(status).toBe(200);
  await world.expireLeases();
  await world.reaches((body as { id: string }).id, "completed");
  expect(await world.database.rows("select id from pawl.runs")).toHaveLength(1);
});

test("killed while it cancels, a run is cancelled and stays so (G4)", async () => {
  world.broker.deliveries = () => 0;
  const id = await world.start("count", { steps: 3 });
  const fault = world.gateway.inject({
    on: "cancel",
    when: "after",
    act: () => {
      world.worker.kill();
      return "cut";
    },
  });
  await expect(world.worker.post(`/api/runs/${id}/cancel`)).rejects.toThrow();
  expect(fault.count).toBe(1);
  await world.worker.restart();
  const again = await world.worker.post(`/api/runs/${id}/cancel`);
  expect(again).toMatchObject({ status: 200, body: { status: "cancelled", turn: 1 } });
});

test("killed in a body that was given an id, the next one is given the same (A3)", async () => {
  world.ledger.onEffect = () => {
    if (world.worker.kills === kills) world.worker.kill();
  };
  const id = await world.start("christener");
  await eventually("it is killed", () => !world.worker.alive);
  await world.worker.restart({ paused: true });
  await world.expireLeases();
  const { output } = await world.reaches(id, "completed");
  expect(steps(id)).toEqual([output, output]);
});
