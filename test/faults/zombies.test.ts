/** Workers that lose their lease and come back. */
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import type { Effect } from "../support/ledger.ts";
import { eventually, gate } from "../support/waiting.ts";
import type { TestWorker } from "../support/worker.ts";
import { createWorld, type World } from "../support/world.ts";

const LEASE_MS = 600_000;
const BACKOFF_AND_GRACE_MS = 90_000;

let world: World;
/** Takes over while the first worker is frozen. */
let replacement: TestWorker;

beforeAll(async () => {
  world = await createWorld({ PAWL_LEASE_MS: String(LEASE_MS) });
  replacement = await world.secondWorker();
});
afterEach(async () => {
  replacement.broker.reset();
  await world.settle();
});
afterAll(() => world?.stop());

/** Freezes the first worker in a step, lets its lease run out and the replacement do the same turn again. */
async function frozenIn(step: string, workflow: string, input?: unknown) {
  const { worker, ledger, database } = world;
  const door = gate<Effect>();
  ledger.onEffect = (effect) => {
    if (effect.step !== step || door.arrivals.length > 0) return {};
    worker.pause();
    return door.pass(effect);
  };
  const id = await world.start(workflow, input);
  await door.reached;
  await database.moveClock(LEASE_MS + 1);
  await replacement.tick();
  await database.moveClock(BACKOFF_AND_GRACE_MS);
  await replacement.tick();
  /** The frozen worker goes on, and its step gets its answer. */
  const thaw = (answer: unknown = {}) => {
    door.open(answer);
    worker.resume();
  };
  return { id, thaw };
}

/** Everything that is written of a run. */
async function written(id: string) {
  return {
    run: await world.run(id),
    journal: await world.journal(id),
    timers: await world.database.rows("select * from pawl.timers where run_id = $1", [id]),
  };
}

test("a step longer than its lease commits nothing once its replacement has finished (D1)", async () => {
  const { id, thaw } = await frozenIn("count 1", "count", { steps: 2 });
  await world.reaches(id, "completed");
  const before = await written(id);
  thaw();
  await eventually("the zombie has committed", () => world.gateway.count("read back") === 1);
  expect(world.gateway.answered.find(({ verb }) => verb === "read back")?.rows).toEqual([0]);
  expect(await written(id)).toEqual(before);
  expect(before.run).toMatchObject({ turn: 4, steps_done: 2 });
  expect(world.ledger.of(id).map(({ step }) => step)).toEqual(["count 1", "count 1", "count 2"]);
  expect(new Set(world.ledger.of(id).map(({ idempotencyKey }) => idempotencyKey)).size).toBe(2);
});

test("a zombie that parks its run writes no timer and does not move the run of its replacement (D1, D4)", async () => {
  const { id, thaw } = await frozenIn("before", "nap", { ms: 3_600_000 });
  await world.reaches(id, "waiting");
  const before = await written(id);
  expect(before.timers).toHaveLength(1);
  thaw();
  await eventually("the zombie has committed", () => world.gateway.count("read back") === 1);
  expect(await written(id)).toEqual(before);
});

test("a zombie that fails for good does not fail the run (D4)", async () => {
  const { id, thaw } = await frozenIn("fragile", "fragile", { attempts: 1 });
  await world.reaches(id, "completed");
  const before = await written(id);
  thaw({ fail: "too late" });
  await eventually("the zombie has committed", () => world.gateway.count("read back") === 1);
  expect(await written(id)).toEqual(before);
});

test("a zombie that will be tried again does not take the lease of its replacement (D4)", async () => {
  // The replacement is still in the step when the zombie reports that it failed.
  const { worker, ledger, database } = world;
  const doors = [gate<Effect>(), gate<Effect>()] as const;
  let arrivals = 0;
  ledger.onEffect = (effect) => {
    if (effect.step !== "fragile") return {};
    arrivals += 1;
    if (arrivals === 1) worker.pause();
    return doors[arrivals - 1]?.pass(effect);
  };
  const id = await world.start("fragile", { attempts: 3 });
  await doors[0].reached;
  await database.moveClock(LEASE_MS + 1);
  await replacement.tick();
  await database.moveClock(BACKOFF_AND_GRACE_MS);
  await replacement.tick();
  await doors[1].reached;
  const before = await written(id);
  expect(before.run).toMatchObject({ status: "running", turn: 4 });
  doors[0].open({ fail: "not yet" });
  worker.resume();
  await eventually("the zombie has committed", () => world.gateway.count("read back") === 1);
  expect(await written(id)).toEqual(before);
  doors[1].open();
  expect(await world.reaches(id, "completed")).toMatchObject({ turn: 4 });
});

test("a zombie's heartbeat renews nothing and tells its step to stop (D3)", async () => {
  const { worker, ledger, database } = world;
  const doors = [gate<Effect>(), gate<Effect>()] as const;
  let arrivals = 0;
  ledger.onEffect = (effect) => {
    if (effect.step !== "before the heartbeat") return {};
    arrivals += 1;
    if (arrivals === 1) worker.pause();
    return doors[arrivals - 1]?.pass(effect);
  };
  const id = await world.start("beat");
  await doors[0].reached;
  await database.moveClock(LEASE_MS + 1);
  await replacement.tick();
  await database.moveClock(BACKOFF_AND_GRACE_MS);
  await replacement.tick();
  await doors[1].reached;
  const before = await written(id);
  expect(before.run).toMatchObject({ status: "running", turn: 3 });
  doors[0].open();
  worker.resume();
  await eventually("the zombie's heartbeat is refused", () => world.gateway.count("renew") === 1);
  expect(world.gateway.answered.find(({ verb }) => verb === "renew")?.rows).toEqual([0]);
  expect(await written(id)).toEqual(before);
  doors[1].open();
  await world.reaches(id, "completed");
  expect(world.ledger.of(id).map(({ step }) => step)).toEqual([
    "before the heartbeat",
    "before the heartbeat",
    "after the heartbeat",
  ]);
  expect(world.gateway.count("commit")).toBe(0);
});

test("a worker frozen since before its step was cancelled writes nothing (G1)", async () => {
  const { worker, ledger } = world;
  const door = gate<Effect>();
  ledger.onEffect = (effect) => {
    worker.pause();
    return door.pass(effect);
  };
  const id = await world.start("count", { steps: 2 });
  await door.reached;
  expect(await replacement.post(`/api/runs/${id}/cancel`)).toMatchObject({ status: 200 });
  const before = await written(id);
  door.open();
  worker.resume();
  await eventually("the zombie has committed", () => world.gateway.count("read back") === 1);
  expect(await written(id)).toEqual(before);
  expect(before.run).toMatchObject({ status: "cancelled", steps_done: 0 });
});

test("a run that was revived is not touched by the worker that lost it (I2, I3, G8)", async () => {
  const { worker, ledger, database } = world;
  const door = gate<Effect>();
  ledger.onEffect = (effect) => {
    if (door.arrivals.length > 0) return {};
    worker.pause();
    return door.pass(effect);
  };
  const id = await world.start("count", { steps: 2 });
  await door.reached;
  await database.rows("update pawl.runs set lost_turns = 7 where id = $1", [id]);
  await database.moveClock(LEASE_MS + 1);
  await replacement.tick();
  expect(await world.run(id)).toMatchObject({ status: "dead" });
  replacement.broker.deliveries = () => 0;
  await replacement.post(`/api/dead-letters/${id}/revive`);
  const before = await written(id);
  expect(before.run).toMatchObject({ status: "ready", lost_turns: 0 });
  door.open();
  worker.resume();
  await eventually("the zombie has committed", () => world.gateway.count("read back") === 1);
  expect(await written(id)).toEqual(before);
  replacement.broker.deliveries = () => 1;
  await replacement.broker.deliver([{ v: 1, tenant: "default", runId: id }]);
  expect(await world.reaches(id, "completed")).toMatchObject({ steps_done: 2 });
});
