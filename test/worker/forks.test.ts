import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import type { Effect } from "../support/ledger.ts";
import { gate } from "../support/waiting.ts";
import { createWorld, type World } from "../support/world.ts";

let world: World;

beforeAll(async () => {
  world = await createWorld();
});
afterEach(() => world.settle());
afterAll(() => world?.stop());

const stepsOf = (id: string) => world.ledger.of(id).map(({ step }) => step);
const idOf = ({ body }: { body: unknown }) => (body as { id: string }).id;

/** Each step gives its number, counted over all runs. */
function number(): void {
  let count = 0;
  world.ledger.onEffect = () => ({ count: ++count });
}

test("a fork performs what comes after the step, with what the old run did before it", async () => {
  number();
  const id = await world.start("triple");
  await world.reaches(id, "completed");
  const answer = await world.worker.post(`/api/runs/${id}/fork`, { from: "b" });
  expect(answer).toMatchObject({ status: 201, body: { forkedFrom: id } });
  const { output } = await world.reaches(idOf(answer), "completed");
  expect(output).toEqual([{ count: 1 }, { count: 4 }, { count: 5 }]);
  expect(stepsOf(idOf(answer))).toEqual(["b", "c"]);
  expect(stepsOf(id)).toEqual(["a", "b", "c"]);
});

test("a rerun of a failed run does all of it again", async () => {
  world.ledger.onEffect = ({ step }) => (step === "fragile" ? { fail: "no" } : {});
  const id = await world.start("fragile", { attempts: 1 });
  await world.reaches(id, "failed");
  world.ledger.onEffect = () => ({});
  const answer = await world.worker.post(`/api/runs/${id}/rerun`);
  expect(await world.reaches(idOf(answer), "completed")).toMatchObject({ output: "whole" });
  expect(stepsOf(idOf(answer))).toEqual(["solid", "fragile"]);
  expect(await world.run(id)).toMatchObject({ status: "failed" });
});

test("a fork whose answer was lost can be asked for again with its key, and is one run (I9)", async () => {
  const id = await world.start("triple");
  await world.reaches(id, "completed");
  const fork = () => world.worker.post(`/api/runs/${id}/fork`, { from: "c" }, { "idempotency-key": "fork" });
  for (const when of ["before", "after"] as const) {
    world.gateway.inject({ on: "fork", when, act: () => "cut" });
    expect(await fork()).toMatchObject({ status: 503, body: { error: { code: "store_unavailable" } } });
  }
  const again = await fork();
  expect(again.status).toBe(200);
  expect(await world.database.rows("select from pawl.runs where forked_from = $1", [id])).toHaveLength(1);
  // Nobody was told of it: the sweep finds it.
  await world.expireLeases();
  await world.reaches(idOf(again), "completed");
  expect(stepsOf(idOf(again))).toEqual(["c"]);
});

test("a cancel is no step's result: what was cancelled in a step performs it when it is run again (G2)", async () => {
  const { ledger, worker } = world;
  const door = gate<Effect>();
  ledger.onEffect = (effect) => (effect.step === "b" ? door.pass(effect) : undefined);
  const id = await world.start("triple");
  await door.reached;
  expect((await worker.post(`/api/runs/${id}/cancel`)).status).toBe(200);
  const refused = [`/api/runs/${id}/resume`, `/api/dead-letters/${id}/revive`];
  for (const path of refused) expect([path, (await worker.post(path)).status]).toEqual([path, 409]);
  door.open({ late: true });
  await worker.idle();
  const journal = (await world.journal(id)).map(({ key, outcome }) => [key, outcome]);
  expect(journal).toEqual([["a", "completed"]]);
  ledger.onEffect = () => {};
  const rerun = await worker.post(`/api/runs/${id}/rerun`);
  await world.reaches(idOf(rerun), "completed");
  expect(stepsOf(idOf(rerun))).toEqual(["a", "b", "c"]);
  expect(await world.run(id)).toMatchObject({ status: "cancelled", steps_done: 1 });
});
