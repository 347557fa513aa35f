import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { eventually } from "../support/waiting.ts";
import { createWorld, type World } from "../support/world.ts";

const STEPS = 60;
/** From this step on a run's function is kept: see `runtime/warm-runs.ts`. */
const KEPT = 20;
const GRACE_MS = 15_000;

let world: World;

beforeAll(async () => {
  world = await createWorld();
});
afterEach(() => world.settle());
afterAll(() => world?.stop());

describe.each(["none", "poisoned"])("where what is kept of runs is: %s", (kept) => {
  beforeAll(() => world.worker.restart({ vars: { WARM_RUNS: kept } }));
  afterAll(() => world.worker.restart());

  test("every run does each of its steps once and comes to its output", async () => {
    const ids = await world.startMany("count", [{ steps: STEPS }, { steps: STEPS }, { steps: STEPS }]);
    for (const id of ids) {
      await completes(id);
      expect(world.ledger.of(id)).toHaveLength(STEPS);
      expect((await world.journal(id)).map(({ seq }) => seq)).toEqual(
        Array.from({ length: STEPS }, (_, i) => i + 1),
      );
    }
    const known = world.gateway.answered.filter(({ verb }) => verb === "read journal");
    if (kept === "none") expect(known).toEqual([]);
    else expect(known.length).toBeGreaterThan(0);
  });

  test("every branch performs its own step once", async () => {
    const ids = await world.startMany(
      "mapped",
      [5, 6, 7].map((items) => ({ items, concurrency: 3 })),
    );
    for (const [i, id] of ids.entries()) {
      const { output } = await world.reaches(id, "completed");
      expect(output).toEqual(Array.from({ length: 5 + i }, (_, item) => 2 * item));
      expect(new Set(world.ledger.of(id).map(({ step }) => step)).size).toBe(5 + i);
      expect(world.ledger.of(id)).toHaveLength(5 + i);
    }
  });
});

/** For each claim of runs, the last entry of the journal that was known already; 0 for none. */
function known(): number[] {
  const claims = world.gateway.answered.filter(({ verb }) => verb === "claim");
  return claims.map(({ queries }) => {
    const [claim] = JSON.parse(queries[0]?.params[0] as string) as { after?: number }[];
    return claim?.after ?? 0;
  });
}

async function completes(id: string): Promise<void> {
  expect(await world.reaches(id, "completed")).toMatchObject({ steps_done: STEPS, output: STEPS });
  const keys = world.ledger.of(id).map(({ idempotencyKey }) => idempotencyKey);
  expect(new Set(keys).size).toBe(STEPS);
}

test("the next turn of a long run goes on where the last one rests, and reads only what is new", async () => {
  const id = await world.start("count", { steps: STEPS });
  await completes(id);
  expect(known().slice(KEPT)).toEqual(Array.from({ length: STEPS - KEPT }, (_, i) => KEPT + i));
  expect(world.ledger.of(id)).toHaveLength(STEPS);
});

test("a run whose worker is killed is replayed from its journal", async () => {
  const id = await world.start("count", { steps: STEPS });
  world.ledger.onEffect = ({ step }) => {
    if (step === "count 40" && world.worker.kills === 0) world.worker.kill();
  };
  await eventually("the worker is killed", () => world.worker.kills === 1);
  await world.worker.restart();
  await world.expireLeases();
  await completes(id);
});

test("what one worker keeps is not gone on with after another has moved the run", async () => {
  const other = await world.secondWorker();
  const id = await world.start("count", { steps: STEPS });
  const stops = new Map([
    ["count 30", world.broker],
    ["count 40", other.broker],
  ]);
  world.ledger.onEffect = ({ step }) => {
    stops.get(step)?.pause();
  };
  const isAt = (steps: number) =>
    eventually(`step ${steps} is done`, async () => {
      const run = await world.run(id);
      return run.steps_done === steps && run.status === "ready";
    });
  await isAt(30);
  await world.database.moveClock(GRACE_MS + 1);
  await other.tick();
  await isAt(40);
  await world.database.moveClock(GRACE_MS + 1);
  world.broker.reset();
  world.broker.resume();
  await world.worker.tick();
  await completes(id);
  expect(world.ledger.of(id)).toHaveLength(STEPS);
});
