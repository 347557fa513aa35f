/** Leases, with one short enough to run out while a test looks on. */
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import type { Effect } from "../support/ledger.ts";
import { eventually, gate } from "../support/waiting.ts";
import { createWorld, type World } from "../support/world.ts";

let world: World;

beforeAll(async () => {
  world = await createWorld({ PAWL_LEASE_MS: "1200" });
});
afterEach(() => world.settle());
afterAll(() => world?.stop());

/** Starts a run and holds it in its one step. */
async function held(more: Record<string, unknown> = {}) {
  const door = gate<Effect>();
  world.ledger.onEffect = (effect) => (effect.step === "hold" ? door.pass(effect) : undefined);
  const id = await world.start("hold", undefined, more);
  await door.reached;
  return { id, door };
}

const told = (id: string) =>
  eventually("the step is told to stop", () =>
    world.ledger.of(id).find(({ step }) => step.startsWith("stopped by")),
  );

test("the lease is renewed while a step runs, so that no sweep takes the run away (D10)", async () => {
  const { id, door } = await held();
  const first = (await world.run(id)).lease_expires_at?.getTime() ?? 0;
  await eventually("the first lease would have run out twice over", async () => {
    await world.worker.tick();
    const { lease_expires_at } = await world.run(id);
    return (lease_expires_at?.getTime() ?? 0) > first + 2_400;
  });
  expect(world.gateway.count("renew")).toBeGreaterThan(2);
  expect(world.gateway.count("reclaim")).toBeGreaterThan(2);
  door.open();
  expect(await world.reaches(id, "completed")).toMatchObject({ turn: 1, lost_turns: 0 });
  expect((await world.journal(id)).map(({ attempt }) => attempt)).toEqual([1]);
  expect(world.ledger.effects).toHaveLength(1);
});

/** Starts a run and holds it in its two branches. */
async function heldApart() {
  const door = gate<Effect>();
  world.ledger.onEffect = (effect) => (effect.step === "hold" ? door.pass(effect) : undefined);
  const id = await world.start("holds");
  await eventually("both branches are under way", () => door.arrivals.length === 2);
  return { id, door };
}

test("the leases of branches are renewed while their steps run, so that no sweep takes them away (D10)", async () => {
  const { id, door } = await heldApart();
  const leases = async () => {
    const rows = await world.database.rows<{ at: Date | null }>(
      "select lease_expires_at as at from pawl.branches",
    );
    return rows.map(({ at }) => at?.getTime() ?? 0);
  };
  const first = Math.max(...(await leases()));
  await eventually("the first leases would have run out twice over", async () => {
    await world.worker.tick();
    return Math.min(...(await leases())) > first + 2_400;
  });
  expect(world.gateway.count("renew branch")).toBeGreaterThan(4);
  door.open();
  expect(await world.reaches(id, "completed")).toMatchObject({ lost_turns: 0 });
  expect((await world.journal(id)).map(({ attempt }) => attempt)).toEqual([1, 1]);
  expect(world.ledger.effects).toHaveLength(2);
});

test("cancelling a run aborts the signals of its branches, and their late results write nothing (G1)", async () => {
  const { id, door } = await heldApart();
  const { status } = await world.worker.post(`/api/runs/${id}/cancel`);
  expect(status).toBe(200);
  await eventually("both steps are told to stop", () => {
    const told = world.ledger.of(id).filter(({ step }) => step === "stopped by LeaseLost");
    return told.length === 2;
  });
  door.open();
  expect(await world.run(id)).toMatchObject({ status: "cancelled", steps_done: 0 });
  expect(await world.journal(id)).toEqual([]);
  expect(world.gateway.count("commit branches")).toBe(0);
});

test("cancelling a run aborts the signal of its step, and the late result writes nothing (G1)", async () => {
  const { id, door } = await held();
  const { status } = await world.worker.post(`/api/runs/${id}/cancel`);
  expect(status).toBe(200);
  expect((await told(id)).step).toBe("stopped by LeaseLost");
  door.open();
  expect(await world.run(id)).toMatchObject({ status: "cancelled", turn: 2, steps_done: 0 });
  expect(await world.journal(id)).toEqual([]);
  expect(world.gateway.count("commit")).toBe(0);
});

test("a step that finishes before it hears of the cancel writes nothing either (G1)", async () => {
  const { id, door } = await held();
  // Its renewals do not come through, so it does not hear of it.
  world.gateway.inject({ on: "renew", when: "before", times: 100, act: () => "hang" });
  await world.worker.post(`/api/runs/${id}/cancel`);
  door.open();
  await eventually("the late commit is refused", () => world.gateway.count("read back") === 1);
  expect(world.gateway.answered.find(({ verb }) => verb === "read back")?.rows).toEqual([0]);
  expect(await world.run(id)).toMatchObject({ status: "cancelled", turn: 2, steps_done: 0 });
  expect(await world.journal(id)).toEqual([]);
});

test("a run past its deadline fails, and the step that ran until then is told to stop", async () => {
  const { id, door } = await held({ deadline: "1500 ms" });
  expect((await told(id)).step).toBe("stopped by DeadlineExceeded");
  const { failure } = await world.reaches(id, "failed");
  expect(failure?.code).toBe("deadline_exceeded");
  door.open();
  expect(await world.journal(id)).toEqual([]);
});

test("an explicit heartbeat renews the lease", async () => {
  const id = await world.start("beat");
  await world.reaches(id, "completed");
  expect(world.gateway.count("renew")).toBe(1);
  expect(world.ledger.of(id).map(({ step }) => step)).toEqual([
    "before the heartbeat",
    "after the heartbeat",
  ]);
});

test("a step outlives a database that does not answer its renewals for less than a lease", async () => {
  const { id, door } = await held();
  const fault = world.gateway.inject({ on: "renew", when: "before", times: 2, act: () => "cut" });
  await eventually(
    "renewals come through again",
    () => fault.count === 2 && world.gateway.count("renew") > 0,
  );
  door.open();
  expect(await world.reaches(id, "completed")).toMatchObject({ turn: 1, lost_turns: 0 });
});

test("a heartbeat that the database does not answer fails no step", async () => {
  const fault = world.gateway.inject({ on: "renew", when: "before", act: () => "cut" });
  const id = await world.start("beat");
  await world.reaches(id, "completed");
  expect(fault.count).toBe(1);
  expect((await world.journal(id)).map(({ outcome, attempt }) => [outcome, attempt])).toEqual([
    ["completed", 1],
  ]);
});

test("a renewal that arrives when its step is long over renews nothing, and holds up no commit (D7)", async () => {
  const { gateway, ledger } = world;
  const doors = [gate<Effect>(), gate<Effect>()] as const;
  ledger.onEffect = (effect) => doors[effect.step === "count 1" ? 0 : 1].pass(effect);
  const late = gate<unknown>();
  const fault = gateway.inject({
    on: "renew",
    when: "before",
    act: async (exchange) => void (await late.pass(exchange)),
  });
  const id = await world.start("count", { steps: 2 });
  const renewal = await fault.injected;
  doors[0].open();
  await doors[1].reached;
  expect(await world.run(id)).toMatchObject({ status: "running", turn: 2, steps_done: 1 });
  late.open();
  await eventually("the renewal is answered", () => renewal.rows.length > 0);
  expect(renewal.rows).toEqual([0]);
  doors[1].open();
  expect(await world.reaches(id, "completed")).toMatchObject({ turn: 2, lost_turns: 0 });
  expect(ledger.of(id).map(({ step }) => step)).toEqual(["count 1", "count 2"]);
});
