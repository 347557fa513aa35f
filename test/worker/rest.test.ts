import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { createWorld, type World } from "../support/world.ts";

let world: World;

beforeAll(async () => {
  world = await createWorld();
});
afterEach(() => world.settle());
afterAll(() => world?.stop());

test("workerd lets every microtask run before replay goes on, so that keys are the same in every turn (I6)", async () => {
  const id = await world.start("wander");
  await world.reaches(id, "completed");
  const journal = await world.database.rows(
    "select key, output from pawl.journal where run_id = $1 order by key",
    [id],
  );
  expect(journal).toEqual([
    { key: "same", output: "near" },
    { key: "same#2", output: "far" },
    { key: "same#3", output: "near again" },
  ]);
});
