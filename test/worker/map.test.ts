import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import type { Effect } from "../support/ledger.ts";
import { eventually, gate } from "../support/waiting.ts";
import { createWorld, type World } from "../support/world.ts";

let world: World;

beforeAll(async () => {
  world = await createWorld();
});
afterEach(() => world.settle());
afterAll(() => world?.stop());

const liveBranches = async () =>
  (await world.database.rows<{ n: number }>("select count(*)::int as n from pawl.branches"))[0]?.n ?? 0;

test("10,000 items of one map complete, with never more branches than may be under way at once", async () => {
  const items = 10_000;
  const id = await world.start("wide", { items });
  let most = 0;
  const run = await eventually("the run is completed", async () => {
    most = Math.max(most, await liveBranches());
    const row = await world.run(id);
    if (row.status === "completed") return row;
    throw new Error(JSON.stringify(row));
  });
  expect(run).toMatchObject({ output: items * (items - 1), steps_done: items, lost_turns: 0 });
  expect(most).toBeGreaterThan(1);
  expect(most).toBeLessThanOrEqual(100);
}, 300_000);

test("so many items as may are under way at once, and the next follows when one is over", async () => {
  const held = gate<Effect>();
  world.ledger.onEffect = (effect) => held.pass(effect);
  const id = await world.start("mapped", { items: 9, concurrency: 4 });
  await expect.poll(() => held.arrivals.length).toBe(4);
  expect(await liveBranches()).toBe(4);
  held.open();
  expect((await world.reaches(id, "completed")).output).toEqual([0, 2, 4, 6, 8, 10, 12, 14, 16]);
});

test("one item that fails for good fails the map, and nobody waits for the others", async () => {
  world.ledger.onEffect = ({ step }) => (step === "item 2" ? { fail: "broken" } : {});
  const id = await world.start("mapped", { items: 50, concurrency: 5 });
  expect((await world.reaches(id, "failed")).failure).toMatchObject({
    step: "items[2]",
    code: "step_failed",
  });
  expect(await liveBranches()).toBe(0);
});

test("so many as are tolerated may fail", async () => {
  world.ledger.onEffect = ({ step }) => (step === "item 2" || step === "item 4" ? { fail: "broken" } : {});
  const id = await world.start("mapped", { items: 6, concurrency: 6, tolerate: 2 });
  const { output } = await world.reaches(id, "completed");
  expect(output).toEqual(["fulfilled", "fulfilled", "rejected", "fulfilled", "rejected", "fulfilled"]);
});
