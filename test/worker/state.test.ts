import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { eventually, gate } from "../support/waiting.ts";
import { createWorld, type World } from "../support/world.ts";

let world: World;

beforeAll(async () => {
  world = await createWorld();
});
afterEach(() => world.settle());
afterAll(() => world?.stop());

const stateOf = async (id: string) =>
  ((await world.worker.get(`/api/runs/${id}/state`)).body as { state: Record<string, unknown> }).state;

test("a run shows how far it has come while it runs", async () => {
  const held = gate<unknown>();
  world.ledger.onEffect = (effect) => (effect.step === "work 2" ? held.pass(effect) : undefined);
  const id = await world.start("telling", { steps: 2 });
  await held.reached;
  await eventually("the first step shows", async () => {
    const { done } = await stateOf(id);
    return JSON.stringify(done) === '[{"step":1}]';
  });
  held.open();
  await world.reaches(id, "completed");
  expect(await stateOf(id)).toEqual({ step: 2, done: [{ step: 1 }, { step: 2 }] });
});

test("what is added is added once, whatever becomes of the turns", async () => {
  world.gateway.inject({ on: "commit", when: "after", times: 2, act: () => "cut" });
  let failures = 0;
  world.ledger.onEffect = ({ step }) => (step === "work 2" && failures++ < 2 ? { fail: "not yet" } : {});
  const id = await world.start("telling", { steps: 3 });
  await world.reaches(id, "completed");
  expect(await stateOf(id)).toEqual({ step: 3, done: [{ step: 1 }, { step: 2 }, { step: 3 }] });
});

test("a turn that is lost shows nothing of what it did", async () => {
  const held = gate<unknown>();
  world.ledger.onEffect = (effect) => (effect.step === "work 1" ? held.pass(effect) : undefined);
  const id = await world.start("telling", { steps: 1 });
  await held.reached;
  world.worker.kill();
  world.ledger.onEffect = () => {};
  await world.worker.restart();
  await world.expireLeases();
  await world.reaches(id, "completed");
  expect(await stateOf(id)).toEqual({ step: 1, done: [{ step: 1 }] });
  held.open();
});
