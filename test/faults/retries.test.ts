/** Many steps that fail together, against a service that is down. */
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { createWorld, type World } from "../support/world.ts";

const RUNS = 300;
const DELAY_MS = 60_000;
/** Retries are spread over the last quarter of their delay. */
const SPREAD_MS = DELAY_MS / 4;

let world: World;

beforeAll(async () => {
  world = await createWorld();
});
afterEach(() => world.settle());
afterAll(() => world?.stop());

test(`${RUNS} steps that fail together are tried again spread out, and share their round trips (N6)`, async () => {
  const { ledger, gateway, broker, database, worker } = world;
  ledger.onEffect = ({ step, attempt }) =>
    step === "fragile" && attempt === 1 ? { fail: "The service is down." } : {};
  const ids = await world.startMany(
    "fragile",
    Array.from({ length: RUNS }, () => ({ attempts: 2, delay: DELAY_MS })),
  );
  await world.allReach(ids, "waiting");
  expect(ledger.effects).toHaveLength(2 * RUNS);
  expect(gateway.count("claim") + gateway.count("commit")).toBeLessThan(2 * RUNS);

  const waits = await database.rows<{ ms: string }>(
    `select round(extract(epoch from retry_at - recorded_at) * 1000) as ms from pawl.journal
     where outcome = 'retrying' and run_id = any($1)`,
    [ids],
  );
  expect(waits).toHaveLength(RUNS);
  const delays = waits.map(({ ms }) => Number(ms));
  expect(Math.min(...delays)).toBeGreaterThanOrEqual(DELAY_MS - SPREAD_MS - 1);
  expect(Math.max(...delays)).toBeLessThanOrEqual(DELAY_MS + 1);
  // In each tenth of the spread about as many come back: none has more than twice its share.
  const shares = new Map<number, number>();
  for (const ms of delays) {
    const tenth = Math.min(9, Math.floor(((ms - DELAY_MS + SPREAD_MS) / SPREAD_MS) * 10));
    shares.set(tenth, (shares.get(tenth) ?? 0) + 1);
  }
  expect(Math.max(...shares.values())).toBeLessThan(RUNS / 5);

  // Their wake-ups are sent after the commit that shows them waiting.
  await worker.idle();
  await database.moveClock(DELAY_MS);
  broker.hurry();
  await worker.tick();
  await world.allReach(ids, "completed");
  expect(ledger.effects).toHaveLength(3 * RUNS);
});
