/** Deployments that replace each other while runs live on. */
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { eventually, gate } from "../support/waiting.ts";
import { createWorld, type World } from "../support/world.ts";

/** As the code was before its workflow had a second version. */
const OLD = { FORGOTTEN: "awaiting@2" };
const RUNS = 200;

let world: World;

beforeAll(async () => {
  world = await createWorld();
});
afterEach(() => world.settle());
afterAll(() => world?.stop());

/** A run of version 1 that no worker has claimed yet. */
async function startOld(): Promise<string> {
  world.broker.deliveries = () => 0;
  const id = await world.start("renewed", undefined, { version: 1 });
  world.broker.deliveries = () => 1;
  return id;
}

test("a run whose workflow version is gone becomes a dead letter, and completes once it is back (J4)", async () => {
  const id = await startOld();
  await world.worker.restart({ vars: { FORGOTTEN: "renewed@1" } });
  await world.broker.deliver([{ v: 1, tenant: "default", runId: id }]);
  const { failure, turn } = await world.reaches(id, "dead");
  expect(failure?.code).toBe("workflow_not_found");
  expect(turn).toBe(1);
  expect((await world.worker.get("/api/dead-letters")).body).toMatchObject({
    runs: [{ id, status: "dead" }],
  });
  await world.worker.restart();
  expect(await world.worker.post(`/api/dead-letters/${id}/revive`)).toMatchObject({ status: 200 });
  expect(await world.reaches(id, "completed")).toMatchObject({ version: 1, output: 1 });
});

test("reviving a run whose version is still gone makes it dead again, and loses nothing (J4)", async () => {
  const id = await startOld();
  await world.worker.restart({ vars: { FORGOTTEN: "renewed@1" } });
  await world.broker.deliver([{ v: 1, tenant: "default", runId: id }]);
  const { turn } = await world.reaches(id, "dead");
  await world.worker.post(`/api/dead-letters/${id}/revive`);
  const again = await world.reaches(id, "dead");
  // The revive raised the turn, and so did the claim after it.
  expect(again.turn).toBe(turn + 2);
  expect(again.failure?.code).toBe("workflow_not_found");
  await world.worker.restart();
  await world.worker.post(`/api/dead-letters/${id}/revive`);
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
