/** Deployments that replace each other while runs live on. */
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { eventually, gate } from "../support/waiting.ts";
import { createWorld, type World } from "../support/world.ts";

/** As the code was before its workflow had a second version. */
const OLD = { FORGOTTEN: "awaiting@2" };
const RUNS = 200;
const GRACE_MS = 15_000;

let world: World;

beforeAll(async () => {
  world = await createWorld();
});
// The clock leaps by a day below: a consumer that finds no tick since then would sweep in the cron's place.
beforeEach(() => world.worker.tick());
afterEach(() => world.settle());
afterAll(() => world?.stop());

/** A run of version 1 that no worker has claimed yet. */
async function startOld(): Promise<string> {
  world.broker.deliveries = () => 0;
  const id = await world.start("renewed", undefined, { version: 1 });
  world.broker.deliveries = () => 1;
  return id;
}

const DAY_MS = 24 * 3_600_000;
const wakeUpOf = (runId: string, branch?: string) => ({
  v: 1,
  tenant: "default",
  runId,
  ...(branch ? { branch } : {}),
});

test("a run whose workflow version is gone is left as it is, and goes on by itself once it is back (J4)", async () => {
  const { worker, broker } = world;
  const id = await startOld();
  await worker.restart({ vars: { FORGOTTEN: "renewed@1" } });
  const before = await world.run(id);
  const { retryMessages } = await broker.deliver([wakeUpOf(id)]);
  // Another deployment may be there to get the message.
  expect(retryMessages).toHaveLength(1);
  expect(await world.run(id)).toEqual(before);
  expect(worker.logs.map((line) => JSON.parse(line))).toContainEqual(
    expect.objectContaining({
      code: "workflow_not_found",
      message: expect.stringContaining('"renewed" version 1'),
    }),
  );
  expect((await worker.get("/api/dead-letters")).body).toMatchObject({ runs: [] });
  await worker.restart();
  await world.database.moveClock(GRACE_MS + 1);
  await worker.tick();
  expect(await world.reaches(id, "completed")).toMatchObject({ version: 1, output: 1, turn: 1 });
});

test("a run whose version is gone for a day is a dead letter that says so, and a revive gives it another day (J4)", async () => {
  const { worker, broker, database } = world;
  const id = await startOld();
  await worker.restart({ vars: { FORGOTTEN: "renewed@1" } });
  await database.moveClock(DAY_MS);
  await broker.deliver([wakeUpOf(id)]);
  const { failure, turn } = await world.reaches(id, "dead");
  expect(failure?.code).toBe("workflow_not_found");
  expect((await worker.get("/api/dead-letters")).body).toMatchObject({ runs: [{ id, status: "dead" }] });
  expect(await worker.post(`/api/dead-letters/${id}/revive`)).toMatchObject({ status: 200 });
  await broker.deliver([wakeUpOf(id)]);
  // The revive raised the turn, and no claim did after it.
  expect(await world.run(id)).toMatchObject({ status: "ready", turn: turn + 1 });
  await worker.restart();
  await broker.deliver([wakeUpOf(id)]);
  expect(await world.reaches(id, "completed")).toMatchObject({ version: 1, output: 1 });
});

test("of two deployments side by side each takes what it knows, and what only one knows is its alone (J3, J4)", async () => {
  const { broker } = world;
  const older = await world.secondWorker({ FORGOTTEN: "renewed@2" });
  broker.deliveries = () => 0;
  const newer = await world.startMany(
    "renewed",
    Array.from({ length: 20 }, () => ({})),
  );
  const shared = await world.startMany(
    "count",
    Array.from({ length: 20 }, () => ({ steps: 1 })),
  );
  const wakeUps = [...newer, ...shared].map((id) => wakeUpOf(id));
  const { retryMessages } = await older.broker.deliver(wakeUps);
  await world.allReach(shared, "completed");
  expect(retryMessages).toHaveLength(newer.length);
  for (const run of await world.runs(newer)) expect(run).toMatchObject({ status: "ready", turn: 0 });
  await broker.deliver(wakeUps);
  await world.allReach(newer, "completed");
  for (const run of await world.runs(newer)) expect(run).toMatchObject({ output: 2, turn: 1, lost_turns: 0 });
});

test("branches of a version that only one deployment has are its alone too (J3, J4)", async () => {
  const { broker, database, worker } = world;
  const older = await world.secondWorker({ FORGOTTEN: "fan@1" });
  broker.deliveries = (body) => ((body as { branch?: string }).branch === undefined ? 1 : 0);
  const id = await world.start("fan", { width: 3 });
  await world.reaches(id, "waiting");
  const keys = await database.rows<{ key: string }>("select key from pawl.branches where run_id = $1", [id]);
  const wakeUps = keys.map(({ key }) => wakeUpOf(id, key));
  expect(wakeUps.length).toBeGreaterThan(0);
  const { retryMessages } = await older.broker.deliver(wakeUps);
  expect(retryMessages).toHaveLength(keys.length);
  expect(await database.rows("select from pawl.branches where run_id = $1 and turn > 0", [id])).toEqual([]);
  broker.deliveries = () => 1;
  await database.moveClock(GRACE_MS + 1);
  await worker.tick();
  await world.reaches(id, "completed");
});

test("a start of a version that is gone is refused, and the newest that is left is the default", async () => {
  await world.worker.restart({ vars: { FORGOTTEN: "renewed@2" } });
  const refused = await world.worker.post("/api/workflows/renewed/runs", { version: 2 });
  expect(refused).toMatchObject({ status: 404, body: { error: { code: "workflow_not_found" } } });
  const id = await world.start("renewed");
  expect(await world.reaches(id, "completed")).toMatchObject({ version: 1, output: 1 });
  await world.worker.restart();
});

test("a run keeps its version when a newer one is deployed in the middle of it", async () => {
  const id = await startOld();
  await world.worker.restart();
  await world.broker.deliver([{ v: 1, tenant: "default", runId: id }]);
  expect(await world.reaches(id, "completed")).toMatchObject({ version: 1, output: 1 });
  const newer = await world.start("renewed");
  expect(await world.reaches(newer, "completed")).toMatchObject({ version: 2, output: 2 });
});

test(`a deployment in the middle of ${RUNS} steps fails none, also while old code goes on beside the new (J3)`, async () => {
  const { worker, ledger } = world;
  await worker.restart({ vars: OLD });
  const old = await world.secondWorker(OLD);
  const door = gate<unknown>();
  ledger.onEffect = (effect) => door.pass(effect);
  const ids = await world.startMany(
    "awaiting",
    Array.from({ length: RUNS }, () => ({})),
  );
  await eventually("all of them are in their step", () => door.arrivals.length === RUNS);
  await worker.restart({ paused: true });
  door.open();
  await world.expireLeases();
  await world.allReach(ids, "waiting");
  // Every step ran when it was cut off and once more, under the same key.
  expect(ledger.effects).toHaveLength(2 * RUNS);
  expect(new Set(ledger.effects.map(({ idempotencyKey }) => idempotencyKey)).size).toBe(RUNS);

  const sides = [old, worker];
  await Promise.all(
    ids.map(async (id, i) => {
      const sent = await sides[i % 2]?.post(`/api/runs/${id}/signals/go`, { payload: { n: i } });
      expect(sent).toMatchObject({ status: 202 });
    }),
  );
  await world.allReach(ids, "completed");
  const outputs = (await world.runs(ids)).map(({ id, output }) => [id, output]);
  const asked = ids.map((id, i) => [id, { version: 1, given: { n: i } }]);
  expect(new Map(outputs as [])).toEqual(new Map(asked as []));
  expect(ledger.effects).toHaveLength(3 * RUNS);
  for (const side of sides) expect(side.broker.sent.length).toBeGreaterThanOrEqual(RUNS / 2);
}, 240_000);
