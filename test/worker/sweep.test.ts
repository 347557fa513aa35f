import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import type { Effect } from "../support/ledger.ts";
import { eventually, gate } from "../support/waiting.ts";
import { createWorld, type World } from "../support/world.ts";

/** The most runs that one share of a sweep looks after. */
const SHARE = 1_000;
const GRACE_MS = 15_000;
const LEASE_MS = 600_000;

let world: World;

beforeAll(async () => {
  world = await createWorld();
});
afterEach(() => world.settle());
afterAll(() => world?.stop());

const isSweep = (body: unknown) => typeof body === "object" && body !== null && "sweep" in body;
const wakeUps = () => world.broker.sent.filter(({ body }) => !isSweep(body));

async function startInBatches(count: number): Promise<string[]> {
  const ids: string[] = [];
  while (ids.length < count) {
    const size = Math.min(500, count - ids.length);
    ids.push(
      ...(await world.startMany(
        "count",
        Array.from({ length: size }, () => ({ steps: 0 })),
      )),
    );
  }
  return ids;
}

/** So many runs that are where this one is, itself among them. */
async function multiply(id: string, count: number): Promise<string[]> {
  const copyOf = (n: number) => `01ARZ3NDEKTSV4RRFF${String(n).padStart(8, "0")}`;
  const copies = Array.from({ length: count - 1 }, (_, n) => copyOf(n));
  for (const [table, column] of [
    ["runs", "id"],
    ["journal", "run_id"],
    ["timers", "run_id"],
  ]) {
    await world.database.rows(
      `insert into pawl.${table} select c.* from pawl.${table} t, unnest($2::text[]) copy,
       jsonb_populate_record(t, jsonb_build_object('${column}', copy)) c where t.${column} = $1`,
      [id, copies],
    );
  }
  return [id, ...copies];
}

test("a sweep with more work than its share goes on through the queue (E3)", async () => {
  const count = 2 * SHARE + 200;
  world.broker.deliveries = () => 0;
  const ids = await startInBatches(count);
  world.broker.reset();
  world.broker.deliveries = (body) => (isSweep(body) ? 1 : 0);
  await world.database.moveClock(GRACE_MS + 1);
  await world.worker.tick();
  await eventually("all runs are looked after", () => wakeUps().length === count);
  const woken = wakeUps().map(({ body }) => (body as { runId: string }).runId);
  expect(new Set(woken)).toEqual(new Set(ids));
  expect(world.broker.sent.filter(({ body }) => isSweep(body))).toHaveLength(2);
  // One tick and no more; what it noted as sent is not sent again before the grace is over.
  await world.worker.tick();
  expect(wakeUps()).toHaveLength(count);
});

test("a sweep wakes no run that was just woken, and one again whose wake-up was lost", async () => {
  world.broker.deliveries = () => 0;
  const id = await world.start("count", { steps: 1 });
  await world.worker.tick();
  expect(wakeUps()).toHaveLength(1);
  await world.database.moveClock(GRACE_MS + 1);
  await world.worker.tick();
  expect(wakeUps()).toHaveLength(2);
  world.broker.deliveries = () => 1;
  await world.database.moveClock(GRACE_MS + 1);
  await world.worker.tick();
  await world.reaches(id, "completed");
  expect(wakeUps()).toHaveLength(3);
});

test("overlapping sweeps take each expired lease back once and wake each due run once (D5, E9)", async () => {
  const { ledger, worker, broker, database } = world;
  const door = gate<Effect>();
  ledger.onEffect = (effect) => door.pass(effect);
  const running = await world.startMany(
    "count",
    Array.from({ length: 40 }, () => ({ steps: 1 })),
  );
  await eventually("all are in their step", () => door.arrivals.length === running.length);
  worker.kill();
  await worker.restart();
  ledger.reset();
  broker.reset();
  broker.deliveries = () => 0;
  const due = await world.startMany(
    "count",
    Array.from({ length: 40 }, () => ({ steps: 1 })),
  );
  broker.reset();
  broker.deliveries = () => 0;
  await database.moveClock(LEASE_MS + 1);
  // Somebody is busy with one of them just now: the sweeps pass it by, and wait for nobody.
  const busy = await database.pool.connect();
  try {
    await busy.query("begin");
    await busy.query("select id from pawl.runs where id = $1 for update", [running[0]]);
    await Promise.all(Array.from({ length: 8 }, () => worker.tick()));
    expect(world.gateway.count("reclaim")).toBe(8);
    expect(await world.run(running[0] ?? "")).toMatchObject({ status: "running", turn: 1, lost_turns: 0 });
  } finally {
    await busy.query("rollback");
    busy.release();
  }
  await Promise.all(Array.from({ length: 8 }, () => worker.tick()));
  for (const run of await world.runs(running)) {
    expect(run).toMatchObject({ status: "ready", turn: 2, lost_turns: 1, lease_expires_at: null });
  }
  for (const run of await world.runs(due)) expect(run).toMatchObject({ status: "ready", turn: 0 });
  const woken = wakeUps().map(({ body }) => (body as { runId: string }).runId);
  expect(woken.sort()).toEqual([...running, ...due].sort());
});

test("a sweep that fails stops no other, and the tick is still recorded", async () => {
  const { gateway, worker, broker } = world;
  broker.deliveries = () => 0;
  const id = await world.start("count", { steps: 1 });
  broker.deliveries = () => 1;
  await world.database.moveClock(GRACE_MS + 1);
  const fault = gateway.inject({ on: "reclaim", when: "before", act: () => "cut" });
  await worker.tick();
  expect(fault.count).toBe(1);
  expect(gateway.count("tick")).toBe(1);
  await world.reaches(id, "completed");
});

test("ticks that come twice, late and out of order do what one would have done (E9)", async () => {
  const { broker, worker, database, gateway } = world;
  broker.deliveries = () => 0;
  const ids = await startInBatches(20);
  broker.reset();
  broker.deliveries = () => 0;
  await database.moveClock(GRACE_MS + 1);
  const minutes = [0, 0, -60, 60, -1, 0];
  for (const minute of minutes) await worker.tick(new Date(Date.now() + minute * 60_000));
  expect(gateway.count("collect")).toBe(minutes.length);
  const woken = wakeUps().map(({ body }) => (body as { runId: string }).runId);
  expect(woken.sort()).toEqual([...ids].sort());
  const [tick] = await database.rows<{ future: boolean }>(
    "select ticked_at > pawl.clock() as future from pawl.ticks",
  );
  expect(tick).toEqual({ future: false });
});

test("10,000 sleeps that are over at once, after half a day without a tick, each end once, and requests are answered meanwhile (E3)", async () => {
  const { broker, database, worker, ledger } = world;
  const id = await world.start("nap", { ms: 3_600_000 });
  await world.reaches(id, "waiting");
  await worker.idle();
  const ids = await multiply(id, 10_000);
  broker.reset();
  ledger.reset();
  await database.moveClock(12 * 3_600_000);
  await worker.tick();
  expect((await worker.get(`/api/runs/${id}`)).status).toBe(200);
  await world.allReach(ids, "completed");
  const [sum] = await database.rows(
    `select count(*)::int as runs, sum(lost_turns)::int as lost, min(turn) as least, max(turn) as most from pawl.runs`,
  );
  expect(sum).toEqual({ runs: ids.length, lost: 0, least: 2, most: 2 });
  expect(new Set(ledger.effects.map(({ runId }) => runId))).toEqual(new Set(ids));
  expect(ledger.effects).toHaveLength(ids.length);
  expect(broker.sent.filter(({ body }) => isSweep(body)).length).toBeGreaterThanOrEqual(9);
});
