import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { createWorld, type World } from "../support/world.ts";

let world: World;

beforeAll(async () => {
  world = await createWorld();
});
afterEach(() => world.settle());
afterAll(() => world?.stop());

test("200 parallel steps take at most 300 turns and branches in all, each in an invocation of its own", async () => {
  const width = 200;
  const id = await world.start("fan", { width });
  const run = await world.reaches(id, "completed");
  expect(run.output).toEqual(Array.from({ length: width }, (_, i) => i));
  expect(run.turn + width).toBeLessThanOrEqual(1.5 * width);
  expect(world.ledger.of(id)).toHaveLength(width);
  expect(new Set(world.ledger.of(id).map(({ invocation }) => invocation)).size).toBe(width);
  expect(await world.database.rows("select from pawl.branches")).toEqual([]);
});
