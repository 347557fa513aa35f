import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { eventually } from "../support/waiting.ts";
import { createWorld, type World } from "../support/world.ts";

let world: World;

beforeAll(async () => {
  world = await createWorld();
});
afterEach(() => world.settle());
afterAll(() => world?.stop());

/** Brings the run past its sleep and its signal. */
async function pass(id: string): Promise<void> {
  await eventually("the run cools off", async () => {
    const timers = await world.database.rows(
      "select from pawl.timers where run_id = $1 and key = 'cool off'",
      [id],
    );
    return timers.length === 1;
  });
  await world.worker.post(`/api/runs/${id}/signals/approved`, { payload: { by: "Ada" } });
  await world.database.moveClock(3_600_000);
  await world.worker.tick();
}

test("a sequence of everything runs to its end, each body in an invocation of its own", async () => {
  const id = await world.start("chain", { express: true });
  await pass(id);
  const run = await world.reaches(id, "completed");
  expect(run.output).toEqual({
    charge: "charge",
    reserve: { stock: "stock", courier: "courier" },
    way: "air",
    fly: "fly",
    poll: 2,
    approved: { by: "Ada" },
    receipt: "receipt of charge",
    ship: "ship",
  });
  const effects = world.ledger.of(id);
  expect(effects.map(({ step }) => step).sort()).toEqual(["charge", "courier", "fly", "ship", "stock"]);
  expect(new Set(effects.map(({ invocation }) => invocation)).size).toBe(effects.length);
  const keys = (await world.journal(id)).map(({ key }) => key);
  expect(keys).toEqual([
    "charge",
    ...keys.slice(1, 3).toSorted(),
    ...["way", "fly", "poll", "poll#2", "cool off", "approved", "receipt", "ship"],
  ]);
});

test("a step is tried again at its own pace, and what was done is undone in reverse when one fails for good", async () => {
  world.ledger.onEffect = ({ step, attempt }) => {
    if (step === "ship" || (step === "charge" && attempt === 1)) return { fail: `no ${step}` };
    return {};
  };
  const id = await world.start("chain", { express: false });
  await pass(id);
  const run = await world.reaches(id, "failed");
  expect(run.failure).toMatchObject({ code: "step_failed", step: "ship" });
  const done = world.ledger.of(id).map(({ step }) => step);
  expect(done.slice(0, 2)).toEqual(["charge", "charge"]);
  expect(done.slice(-3)).toEqual(["ship", "restock", "refund"]);
  expect(done).toContain("sail");
});
