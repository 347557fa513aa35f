/** Runs whose step kills the worker every time. */
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import type { Effect } from "../support/ledger.ts";
import { eventually, gate } from "../support/waiting.ts";
import { createWorld, type World } from "../support/world.ts";

const LOST_TURN_LIMIT = 3;

let world: World;

beforeAll(async () => {
  world = await createWorld({ PAWL_LOST_TURN_LIMIT: String(LOST_TURN_LIMIT) });
});
afterEach(() => world.settle());
afterAll(() => world?.stop());

/** Starts a run whose second step is deadly. */
async function startPoison(): Promise<string> {
  const { ledger, worker } = world;
  ledger.onEffect = ({ step }) => {
    if (step === "fragile") worker.kill();
  };
  return world.start("fragile", { attempts: 1 });
}

/** Waits for the next death and brings the worker back; the queue hands nothing over until leases have expired. */
async function death(before: number): Promise<void> {
  await eventually("the worker is killed", () => world.worker.kills > before);
  await world.worker.restart({ paused: true });
}

/** Kills again and again, until the platform gives the run up. */
async function untilDead(id: string): Promise<number> {
  const first = world.worker.kills;
  for (let deaths = 1; ; deaths++) {
    await death(first + deaths - 1);
    await world.expireLeases();
    if ((await world.run(id)).status === "dead") return deaths;
    expect(deaths).toBeLessThan(LOST_TURN_LIMIT);
  }
}

test("a step that kills the worker every time makes its run a dead letter at the limit (A6)", async () => {
  const kills = world.worker.kills;
  const id = await startPoison();
  for (let deaths = 1; deaths <= LOST_TURN_LIMIT; deaths++) {
    await death(kills + deaths - 1);
    expect(await world.run(id)).toMatchObject({ status: "running", lost_turns: deaths - 1 });
    await world.expireLeases();
  }
  const { failure } = await world.reaches(id, "dead");
  expect(failure?.code).toBe("lost_turns_exhausted");
  const letters = await world.worker.get("/api/dead-letters");
  expect(letters.body).toMatchObject({ runs: [{ id, status: "dead", lostTurns: LOST_TURN_LIMIT }] });
  const fragile = world.ledger.of(id).filter(({ step }) => step === "fragile");
  expect(fragile).toHaveLength(LOST_TURN_LIMIT);
  expect(new Set(fragile.map(({ idempotencyKey }) => idempotencyKey)).size).toBe(1);
});

test("a dead run can be revived once the code is mended, keeps what it has done, and completes (A6)", async () => {
  const id = await startPoison();
  expect(await untilDead(id)).toBe(LOST_TURN_LIMIT);
  await world.expireLeases();
  expect(await world.run(id)).toMatchObject({ status: "dead" });
  world.ledger.onEffect = () => {};
  const revived = await world.worker.post(`/api/dead-letters/${id}/revive`);
  expect(revived).toMatchObject({ status: 200, body: { lostTurns: 0, failure: null } });
  expect(await world.reaches(id, "completed")).toMatchObject({ lost_turns: 0, output: "whole" });
  expect(world.ledger.of(id).filter(({ step }) => step === "solid")).toHaveLength(1);
  expect((await world.journal(id)).map(({ key, outcome }) => [key, outcome])).toEqual([
    ["solid", "completed"],
    [null, "revived"],
    ["fragile", "completed"],
  ]);
});

test("a revived run that still kills the worker has the whole limit again (A6)", async () => {
  const id = await startPoison();
  await untilDead(id);
  // The next death must not come before the revive is answered.
  world.broker.pause();
  await world.worker.post(`/api/dead-letters/${id}/revive`);
  const deaths = untilDead(id);
  world.broker.resume();
  expect(await deaths).toBe(LOST_TURN_LIMIT);
});

test("losses that are not in a row are forgiven: each step may lose turns up to the limit (I12)", async () => {
  const lost = new Map<string, number>();
  world.ledger.onEffect = ({ step }) => {
    const times = lost.get(step) ?? 0;
    if (times === LOST_TURN_LIMIT - 1) return;
    lost.set(step, times + 1);
    world.worker.kill();
  };
  const kills = world.worker.kills;
  const id = await world.start("count", { steps: 2 });
  for (let deaths = 1; deaths <= 2 * (LOST_TURN_LIMIT - 1); deaths++) {
    await death(kills + deaths - 1);
    await world.expireLeases();
  }
  expect(await world.reaches(id, "completed")).toMatchObject({ steps_done: 2, lost_turns: 0 });
});

test("failures of a step and losses of its turn are counted apart (I12)", async () => {
  let killed = 0;
  world.ledger.onEffect = ({ step, attempt }) => {
    if (step !== "fragile") return {};
    if (killed < LOST_TURN_LIMIT - 1) {
      killed += 1;
      world.worker.kill();
    }
    return attempt < 2 ? { fail: "not yet" } : {};
  };
  const kills = world.worker.kills;
  const id = await world.start("fragile", { attempts: 2 });
  for (let deaths = 1; deaths < LOST_TURN_LIMIT; deaths++) {
    await death(kills + deaths - 1);
    await world.expireLeases();
  }
  await world.reaches(id, "completed");
  expect((await world.journal(id)).map(({ key, outcome, attempt }) => [key, outcome, attempt])).toEqual([
    ["solid", "completed", 1],
    ["fragile", "retrying", 1],
    ["fragile", "completed", 2],
  ]);
});

test("a run in the crash loop can be cancelled, and is never claimed again (A7)", async () => {
  const kills = world.worker.kills;
  const id = await startPoison();
  await death(kills);
  await world.expireLeases();
  await death(kills + 1);
  const cancelled = await world.worker.post(`/api/runs/${id}/cancel`);
  expect(cancelled).toMatchObject({ status: 200, body: { status: "cancelled" } });
  const { turn } = await world.run(id);
  await world.expireLeases();
  await world.broker.deliver([{ v: 1, tenant: "default", runId: id }]);
  expect(await world.run(id)).toMatchObject({ status: "cancelled", turn });
  expect(world.worker.kills).toBe(kills + 2);
});

test("a run that kills the worker takes each neighbour with it once, and never twice (A6)", async () => {
  const { ledger, worker } = world;
  const door = gate<Effect>();
  const neighbours = 12;
  let poisonous = true;
  // The first time, everybody of the batch is in the middle of a step when the worker dies.
  ledger.onEffect = async (effect) => {
    if (effect.step === "hold") return poisonous ? door.pass(effect) : {};
    if (effect.step !== "fragile") return {};
    await eventually(
      "all neighbours are in their step",
      () => !poisonous || door.arrivals.length === neighbours,
    );
    poisonous = false;
    worker.kill();
    return {};
  };
  const kills = worker.kills;
  world.broker.pause();
  const ids = await world.startMany(
    "hold",
    Array.from({ length: neighbours }, () => null),
  );
  const id = await world.start("fragile", { attempts: 1 });
  world.broker.resume();
  await death(kills);
  for (const run of await world.runs(ids)) expect(run).toMatchObject({ status: "running", lost_turns: 0 });
  // From here on it comes first in every batch that holds them all.
  world.broker.arrange = (waiting) =>
    waiting.sort(
      (a, b) => Number((b as { runId: string }).runId === id) - Number((a as { runId: string }).runId === id),
    );
  let worst = 0;
  for (let deaths = 1; deaths < LOST_TURN_LIMIT; deaths++) {
    await world.expireLeases();
    await death(kills + deaths);
    for (const run of await world.runs(ids)) worst = Math.max(worst, run.lost_turns);
  }
  await world.expireLeases();
  await world.reaches(id, "dead");
  await world.allReach(ids, "completed");
  expect(worst).toBe(1);
  for (const neighbour of ids) expect(ledger.of(neighbour).length).toBeLessThanOrEqual(2);
});

test("other runs go on and complete between the deaths (A6)", async () => {
  const kills = world.worker.kills;
  const id = await startPoison();
  const healthy: string[] = [];
  for (let deaths = 1; deaths <= LOST_TURN_LIMIT; deaths++) {
    await death(kills + deaths - 1);
    world.broker.resume();
    const ids = await world.startMany(
      "count",
      Array.from({ length: 10 }, () => ({ steps: 3 })),
    );
    await world.allReach(ids, "completed");
    healthy.push(...ids);
    await world.expireLeases();
  }
  await world.reaches(id, "dead");
  for (const run of await world.runs(healthy)) expect(run).toMatchObject({ turn: 3, lost_turns: 0 });
});
