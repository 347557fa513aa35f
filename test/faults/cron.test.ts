/** The cron stops for good, while requests still come and the queue still delivers. */
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import type { Effect } from "../support/ledger.ts";
import { eventually, gate } from "../support/waiting.ts";
import { createWorld, type World } from "../support/world.ts";

const MINUTE_MS = 60_000;
const LEASE_MS = 600_000;

let world: World;

beforeAll(async () => {
  world = await createWorld();
});
afterEach(() => world.settle());
afterAll(() => world?.stop());

/** A worker in whose isolate the cron has never ticked. */
const afresh = () => world.worker.restart();
const lastTick = () => world.database.rows("select ticked_at from pawl.ticks");

test("without the cron, traffic alone takes leases back and finds lost wake-ups, and healthz tells of it (E10)", async () => {
  const { worker, broker, ledger, database } = world;
  await worker.tick();
  const ticked = await lastTick();
  const door = gate<Effect>();
  ledger.onEffect = (effect) => door.pass(effect);
  const killed = await world.start("count", { steps: 1 });
  await door.reached;
  worker.kill();
  ledger.reset();
  await worker.restart({ paused: true });
  broker.reset();
  broker.deliveries = () => 0;
  const forgotten = await world.start("count", { steps: 1 });
  await database.moveClock(LEASE_MS + MINUTE_MS);
  broker.deliveries = () => 1;
  broker.resume();
  // Any traffic will do.
  await world.reaches(await world.start("count", { steps: 1 }), "completed");
  await world.reaches(forgotten, "completed");
  await eventually("the lease is taken back", async () => (await world.run(killed)).lost_turns === 1);
  expect(await lastTick()).toEqual(ticked);
  const { body } = await worker.get("/healthz");
  expect((body as { tickAgeMs: number }).tickAgeMs).toBeGreaterThanOrEqual(LEASE_MS);
  await database.moveClock(MINUTE_MS);
  await afresh();
  await world.reaches(await world.start("count", { steps: 1 }), "completed");
  await world.reaches(killed, "completed");
});

test("as long as the cron ticks, nobody sweeps in its place (E10)", async () => {
  const { worker, gateway, database } = world;
  await worker.tick();
  await afresh();
  await database.moveClock(2 * MINUTE_MS - 30_000);
  await gateway.reset();
  await world.reaches(await world.start("count", { steps: 2 }), "completed");
  await worker.idle();
  expect(gateway.count("reclaim")).toBe(0);
});
