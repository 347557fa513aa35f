/** Where the time of turns goes, as the worker itself measures it. */
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { createWorld, type World } from "../support/world.ts";

let world: World;

beforeAll(async () => {
  world = await createWorld();
});
afterEach(() => world.settle());
afterAll(() => world?.stop());

async function turnsByPhase(): Promise<Record<string, number>> {
  await world.worker.tick();
  const { body } = await world.worker.get("/api/system");
  const { phases } = (body as { turns: { phases: { phase: string; turns: number }[] } }).turns;
  return Object.fromEntries(phases.map(({ phase, turns }) => [phase, turns]));
}

test("every turn is counted once in every phase that it went through", async () => {
  await world.reaches(await world.start("count", { steps: 5 }), "completed");
  await world.settle();
  expect(await turnsByPhase()).toEqual({
    queue: 5,
    claim: 5,
    invocation: 5,
    replay: 5,
    step: 5,
    group: 5,
    commit: 5,
    // The start sent the first, and the last turn none.
    "wake-up": 5,
  });
});

test("times that cannot be kept hold up no run", async () => {
  await world.reaches(await world.start("count", { steps: 2 }), "completed");
  await world.settle();
  const fault = world.gateway.inject({ on: "timings", when: "before", act: () => "cut" });
  await world.worker.tick();
  await fault.injected;
  expect(world.worker.logs.join("\n")).toContain("keeping the times of turns");
});

test("every sweep of a tick tells when it was, how long it took and what it came to", async () => {
  await world.settle();
  world.gateway.inject({ on: "reclaim", when: "before", times: 3, act: () => "cut" });
  await world.worker.tick();
  const { body } = await world.worker.get("/api/system");
  const { now, sweeps } = body as { now: string; sweeps: { name: string; at: string; outcome: string }[] };
  expect(Object.fromEntries(sweeps.map(({ name, outcome }) => [name, outcome]))).toMatchObject({
    "reclaim leases": "failed",
    "reclaim branches": "all",
    "wake due runs": "all",
    "deliver events": "all",
  });
  for (const { at } of sweeps) expect(Date.parse(now) - Date.parse(at)).toBeLessThan(60_000);
});
