/** Many runs at once, while the worker is killed at random. Another storm: `STORM_SEED=7 npx vitest run storm`. */
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { seeded } from "../support/random.ts";
import { eventually } from "../support/waiting.ts";
import { createWorld, type World } from "../support/world.ts";

const DAY_MS = 86_400_000;
const RUNS = 500;
const STEPS = 5;
const LEAST_KILLS = 10;
const SEED = Number(process.env.STORM_SEED ?? 20_260);

let world: World;

beforeAll(async () => {
  // So long that no lease runs out while the clock moves for what was not claimed.
  world = await createWorld({ PAWL_LEASE_MS: String(DAY_MS) });
});
afterEach(() => world.settle());
afterAll(() => world?.stop());

test(`${RUNS} runs of ${STEPS} steps all complete under random kills, each step journaled once (A10, seed ${SEED})`, async () => {
  const { worker, ledger, gateway, broker, database } = world;
  const random = seeded(SEED);
  const places = [
    () => strikeIn((strike) => (ledger.onEffect = strike)),
    () => strikeIn((strike) => gateway.inject({ on: "claim", when: "before", act: () => strike() })),
    () => strikeIn((strike) => gateway.inject({ on: "claim", when: "after", act: () => strike() })),
    () => strikeIn((strike) => gateway.inject({ on: "commit", when: "before", act: () => strike() })),
    () => strikeIn((strike) => gateway.inject({ on: "commit", when: "after", act: () => strike() })),
    () => strikeIn((strike) => (broker.onSend = strike)),
  ];
  /** Kills at the next thing that happens in that place. */
  const strikeIn = (arm: (strike: () => undefined) => void) => {
    const kills = worker.kills;
    arm(() => {
      if (worker.kills === kills) worker.kill();
      return undefined;
    });
    return kills;
  };

  const ids = await world.startMany(
    "count",
    Array.from({ length: RUNS }, () => ({ steps: STEPS })),
  );
  const struck = new Map<number, number>();
  for (let round = 0; round < LEAST_KILLS + 4; round++) {
    const share = 60 + Math.floor(random() * 120);
    const before = ledger.effects.length;
    await eventually("some steps are done, or all runs", async () => {
      const { length } = ledger.effects;
      if (length >= before + share || (await unfinished()) === 0) return true;
      throw new Error(`${length} are done`);
    });
    if ((await unfinished()) === 0) break;
    const place = Math.floor(random() * places.length);
    const kills = places[place]?.() ?? 0;
    struck.set(place, (struck.get(place) ?? 0) + 1);
    await eventually("the worker is killed", () => worker.kills > kills);
    ledger.onEffect = () => {};
    broker.onSend = () => {};
    await worker.restart({ paused: true });
    await world.expireLeases();
  }
  expect(worker.kills).toBeGreaterThanOrEqual(LEAST_KILLS);
  expect(struck.size).toBeGreaterThanOrEqual(4);

  // Healing: no more faults, the cron ticks, time goes by.
  await eventually("all runs are over", async () => {
    const left = await unfinished();
    if (left === 0) return true;
    await database.moveClock(20_000);
    await worker.tick();
    throw new Error(`${left} are left`);
  });
  await world.allReach(ids, "completed");

  const entries = await database.rows<{ run_id: string; keys: string[] }>(
    `select run_id, array_agg(key order by seq) as keys from pawl.journal
     where outcome = 'completed' group by run_id having true`,
  );
  expect(entries).toHaveLength(RUNS);
  const keys = Array.from({ length: STEPS }, (_, i) => (i === 0 ? "count" : `count#${i + 1}`));
  for (const entry of entries) expect(entry.keys).toEqual(keys);
  const [all] = await database.rows<{ count: string }>("select count(*) from pawl.journal");
  expect(Number(all?.count)).toBe(RUNS * STEPS);

  const keysOfStep = new Map<string, Set<string>>();
  for (const { runId, step, idempotencyKey } of ledger.effects) {
    const name = `${runId} ${step}`;
    keysOfStep.set(name, (keysOfStep.get(name) ?? new Set()).add(idempotencyKey));
  }
  expect(keysOfStep.size).toBe(RUNS * STEPS);
  expect([...keysOfStep.values()].every((keys) => keys.size === 1)).toBe(true);
  expect(new Set(ledger.effects.map(({ idempotencyKey }) => idempotencyKey)).size).toBe(RUNS * STEPS);
  // Kills that repeat no step have hit nothing.
  expect(ledger.effects.length).toBeGreaterThan(RUNS * STEPS);
  expect(new Set(ledger.effects.map(({ invocation }) => invocation)).size).toBe(ledger.effects.length);

  async function unfinished(): Promise<number> {
    const [row] = await database.rows<{ count: string }>(
      "select count(*) from pawl.runs where status not in ('completed', 'cancelled', 'failed', 'dead')",
    );
    return Number(row?.count);
  }
}, 400_000);
