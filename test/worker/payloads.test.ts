/** W6: values as large as they may be, in workerd. What an isolate is given at once stays bounded (N2). */
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import type { Exchange } from "../support/faulty-gateway.ts";
import { createWorld, type World } from "../support/world.ts";

const LARGE = 900_000;
/** A claim's share of 4 MB, and beside it one value more and what JSON says around it. */
const ANSWER_LIMIT = 6_000_000;
/** A turn's 4 MB and one value more; the values are quoted once more, being JSON in JSON. */
const REQUEST_LIMIT = 8_000_000;

let world: World;
beforeAll(async () => {
  world = await createWorld();
});
afterEach(() => world.settle());
afterAll(() => world?.stop());

function requestBytes({ queries }: Exchange): number {
  return JSON.stringify(queries).length;
}

function expectBounded(): void {
  const { answered } = world.gateway;
  expect(Math.max(...answered.map(({ bytes }) => bytes))).toBeLessThan(ANSWER_LIMIT);
  expect(Math.max(...answered.map(requestBytes))).toBeLessThan(REQUEST_LIMIT);
}

const go = (id: string) => world.worker.post(`/api/runs/${id}/signals/go`, {});

test("runs with long journals that are due together are read in pages by a worker that has seen none of them", async () => {
  const steps = 7;
  const ids = await world.startMany(
    "heavy",
    Array.from({ length: 6 }, () => ({ steps, bytes: LARGE })),
  );
  for (const id of ids) await world.waitsFor(id, "go");
  await world.worker.restart({ paused: true });
  await world.gateway.reset();
  world.broker.pause();
  for (const id of ids) expect((await go(id)).status).toBe(202);
  world.broker.resume();
  await world.allReach(ids, "completed");
  expectBounded();
  expect(world.gateway.count("read journal")).toBeGreaterThanOrEqual(2 * ids.length);
  for (const { steps_done, lost_turns } of await world.runs(ids))
    expect({ steps_done, lost_turns }).toEqual({ steps_done: steps + 1, lost_turns: 0 });
});

test("each turn of a run with large outputs reads none of those before it", async () => {
  const id = await world.start("heavy", { steps: 5, bytes: LARGE });
  await world.waitsFor(id, "go");
  const claims = world.gateway.answered.filter(({ verb }) => verb === "claim");
  expect(claims.length).toBeGreaterThanOrEqual(5);
  for (const { bytes } of claims) expect(bytes).toBeLessThan(20_000);
  expect((await go(id)).status).toBe(202);
  await world.reaches(id, "completed");
});

test("an inbox of more than a claim may bring is taken whole and in order, over several turns", async () => {
  const parts = 9;
  const id = await world.start("gather", { parts });
  await world.waitsFor(id, "part");
  world.broker.pause();
  for (let i = 0; i < parts; i++) {
    const payload = `${i}`.padEnd(LARGE, "x");
    expect((await world.worker.post(`/api/runs/${id}/signals/part`, { payload })).status).toBe(202);
  }
  await world.gateway.reset();
  world.broker.resume();
  const { output } = await world.reaches(id, "completed");
  expect(String(output).slice(0, 2)).toBe(`${parts - 1}x`);
  expectBounded();
  const journal = await world.database.rows<{ first: string }>(
    "select left(output #>> '{}', 1) as first from pawl.journal where run_id = $1 order by seq",
    [id],
  );
  expect(journal.map(({ first }) => Number(first))).toEqual(Array.from({ length: parts }, (_, i) => i));
  expect(world.gateway.count("read delivery")).toBeGreaterThan(0);
  expect(world.gateway.count("commit")).toBeGreaterThan(1);
});

test("items of a map over a long journal are performed a few at a time, each with all of its journal", async () => {
  const { ledger } = world;
  const id = await world.start("fan-after", { steps: 2, bytes: LARGE, width: 8 });
  await world.reaches(id, "completed");
  expect(ledger.of(id)).toHaveLength(8);
  expectBounded();
});

test.each([
  "/api/runs",
  "/api/runs?status=waiting,completed",
  "/api/dead-letters",
  "/api/workflows/stats",
  "/api/events",
  "/api/waits",
])("%s loads no payload, however large inputs, outputs and signals are", async (path) => {
  const { worker, gateway } = world;
  const large = "x".repeat(LARGE);
  const waiting = await world.start("awaiting", large);
  const gathered = await world.start("gather", { parts: 1 });
  await world.waitsFor(waiting, "go");
  await world.waitsFor(gathered, "part");
  await worker.post(`/api/runs/${gathered}/signals/part`, { payload: large });
  await world.reaches(gathered, "completed");
  await worker.post(`/api/runs/${waiting}/signals/other`, { payload: large });
  await worker.idle();
  await gateway.reset();
  const { status, body } = await worker.get(path);
  expect({ status, body }).toMatchObject({ status: 200 });
  expect(gateway.answered.length).toBeGreaterThan(0);
  for (const { bytes } of gateway.answered) expect(bytes).toBeLessThan(20_000);
  expect(JSON.stringify(body).length).toBeLessThan(20_000);
  await worker.post(`/api/runs/${waiting}/cancel`);
});
