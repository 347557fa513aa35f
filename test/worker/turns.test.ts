import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import type { Effect } from "../support/ledger.ts";
import { eventually, gate } from "../support/waiting.ts";
import { createWorld, type World } from "../support/world.ts";

const GRACE_MS = 15_000;

let world: World;

beforeAll(async () => {
  world = await createWorld();
});
afterEach(() => world.settle());
afterAll(() => world?.stop());

test("a run of n steps takes n turns, each in an invocation of its own (A11)", async () => {
  const id = await world.start("count", { steps: 5 });
  const run = await world.reaches(id, "completed");
  expect(run).toMatchObject({ turn: 5, steps_done: 5, lost_turns: 0, output: 5 });
  expect((await world.journal(id)).map(({ key, turn }) => [key, turn])).toEqual([
    ["count", 1],
    ["count#2", 2],
    ["count#3", 3],
    ["count#4", 4],
    ["count#5", 5],
  ]);
  expect(new Set(world.ledger.of(id).map(({ invocation }) => invocation)).size).toBe(5);
});

test("a turn that is alone costs two round trips: one claim, one commit", async () => {
  const id = await world.start("count", { steps: 6 });
  await world.reaches(id, "completed");
  await eventually("the last commit is answered", () => world.gateway.count("commit") === 6);
  const verbs = world.gateway.answered.map(({ verb }) => verb);
  expect(verbs).toEqual(["start", ...Array.from({ length: 6 }, () => ["claim", "commit"]).flat()]);
});

test("turns in a batch share their round trips", async () => {
  const steps = 5;
  const ids = await world.startMany(
    "count",
    Array.from({ length: 30 }, () => ({ steps })),
  );
  await world.allReach(ids, "completed");
  const { gateway } = world;
  expect(gateway.count("start")).toBe(1);
  expect(gateway.count("claim") + gateway.count("commit")).toBeLessThan(ids.length * steps);
  expect(gateway.answered.length).toBe(1 + gateway.count("claim") + gateway.count("commit"));
  expect(world.ledger.effects).toHaveLength(ids.length * steps);
});

test("no invocation ever performs two step bodies (A11)", async () => {
  const { ledger } = world;
  ledger.onEffect = ({ step, attempt }) => (step === "fragile" && attempt === 1 ? { fail: "not yet" } : {});
  const ids = [
    ...(await world.startMany(
      "count",
      Array.from({ length: 60 }, (_, i) => ({ steps: 1 + (i % 6) })),
    )),
    ...(await world.startMany(
      "fragile",
      Array.from({ length: 40 }, () => ({ attempts: 2 })),
    )),
    ...(await world.startMany(
      "nap",
      Array.from({ length: 40 }, (_, i) => ({ ms: i })),
    )),
  ];
  await world.allReach(ids, "completed");
  expect(ledger.effects).toHaveLength(60 * 3.5 + 40 * 3 + 40 * 2);
  expect(ledger.effects.every(({ invocation }) => invocation)).toBe(true);
  expect(new Set(ledger.effects.map(({ invocation }) => invocation)).size).toBe(ledger.effects.length);
});

test("a slow step holds nobody up: fifty runs complete while it is still running", async () => {
  const held = gate<Effect>();
  world.ledger.onEffect = (effect) => (effect.step === "hold" ? held.pass(effect) : undefined);
  const slow = await world.start("hold");
  await held.reached;
  const ids = await world.startMany(
    "count",
    Array.from({ length: 50 }, () => ({ steps: 3 })),
  );
  await world.allReach(ids, "completed");
  expect(await world.run(slow)).toMatchObject({ status: "running", turn: 1 });
  held.open();
  expect(await world.reaches(slow, "completed")).toMatchObject({ turn: 1, output: "held" });
});

test("a slow step holds up nobody who was claimed in the same batch", async () => {
  const held = gate<Effect>();
  world.ledger.onEffect = (effect) => (effect.step === "count 1" ? held.pass(effect) : undefined);
  const { body } = await world.worker.post("/api/workflows/count/runs:batch", {
    runs: [{ input: { steps: 1 } }, ...Array.from({ length: 29 }, () => ({ input: { steps: 0 } }))],
  });
  const [slow = "", ...ids] = (body as { runs: { id: string }[] }).runs.map(({ id }) => id);
  await held.reached;
  await world.allReach(ids, "completed");
  expect(world.gateway.count("claim")).toBe(1);
  expect(await world.run(slow)).toMatchObject({ status: "running", turn: 1 });
  held.open();
  await world.reaches(slow, "completed");
});

test("a slow step holds up a run that lost its last turn for no longer than the grace of a wake-up", async () => {
  const held = gate<Effect>();
  world.ledger.onEffect = (effect) => (effect.step === "hold" ? held.pass(effect) : undefined);
  world.broker.pause();
  const slow = await world.start("hold");
  const suspect = await world.start("count", { steps: 1 });
  await world.database.rows("update pawl.runs set lost_turns = 1 where id = $1", [suspect]);
  world.broker.resume();
  await held.reached;
  expect(await world.run(suspect)).toMatchObject({ status: "ready", turn: 0 });
  await world.database.moveClock(GRACE_MS + 1);
  await world.worker.tick();
  expect(await world.reaches(suspect, "completed")).toMatchObject({ turn: 1, lost_turns: 0 });
  expect(await world.run(slow)).toMatchObject({ status: "running", turn: 1 });
  held.open();
  await world.reaches(slow, "completed");
});

test("a step is tried again under the next attempt number and the same idempotency key", async () => {
  world.ledger.onEffect = ({ step, attempt }) =>
    step === "fragile" && attempt < 3 ? { fail: "not yet" } : {};
  const id = await world.start("fragile", { attempts: 3 });
  expect(await world.reaches(id, "completed")).toMatchObject({ turn: 4, output: "whole" });
  const tries = world.ledger.of(id).filter(({ step }) => step === "fragile");
  expect(tries.map(({ attempt }) => attempt)).toEqual([1, 2, 3]);
  expect(new Set(tries.map(({ idempotencyKey }) => idempotencyKey))).toEqual(new Set([`${id}:fragile`]));
  expect((await world.journal(id)).map(({ key, outcome, attempt }) => [key, outcome, attempt])).toEqual([
    ["solid", "completed", 1],
    ["fragile", "retrying", 1],
    ["fragile", "retrying", 2],
    ["fragile", "completed", 3],
  ]);
});

test("a run whose step uses up its attempts fails with that step's failure", async () => {
  world.ledger.onEffect = ({ step }) => (step === "fragile" ? { fail: "out of glue" } : {});
  const id = await world.start("fragile", { attempts: 2 });
  const { failure, turn } = await world.reaches(id, "failed");
  expect(turn).toBe(3);
  expect(failure).toMatchObject({ code: "step_failed", step: "fragile", cause: { message: "out of glue" } });
});
