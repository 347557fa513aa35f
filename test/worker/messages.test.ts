import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { eventually } from "../support/waiting.ts";
import { createWorld, type World } from "../support/world.ts";

let world: World;

beforeAll(async () => {
  world = await createWorld();
});
afterEach(() => world.settle());
afterAll(() => world?.stop());

const wakeUp = (runId: string, more: Record<string, unknown> = {}) => ({
  v: 1,
  tenant: "default",
  runId,
  ...more,
});
const NOBODY = "01K7Z3QX5V8M2N4P6R8T0W1Y3A";

/** A run that is due and whose wake-up was lost. */
async function dueRun(): Promise<string> {
  world.broker.deliveries = () => 0;
  const id = await world.start("count", { steps: 1 });
  world.broker.deliveries = () => 1;
  return id;
}

const GARBAGE: readonly (readonly [string, (dueRunId: string) => unknown])[] = [
  ["an unknown run", () => wakeUp(NOBODY)],
  ["a run of another tenant", (id) => wakeUp(id, { tenant: "somebody-else" })],
  ["another version", (id) => wakeUp(id, { v: 2 })],
  ["no version", (id) => ({ tenant: "default", runId: id })],
  ["text", (id) => id],
  ["nothing", () => null],
  ["a list", (id) => [wakeUp(id)]],
  ["an empty object", () => ({})],
  ["an id that is no id", () => wakeUp("'; drop table pawl.runs; --")],
  ["an id of another type", () => wakeUp(7 as never)],
  ["a megabyte", () => wakeUp("x".repeat(1_000_000))],
  ["a tenant of a megabyte", (id) => wakeUp(id, { tenant: "x".repeat(1_000_000) })],
  ["a tenant that Postgres cannot store", (id) => wakeUp(id, { tenant: "default\u0000" })],
  ["a tenant with half a surrogate pair", (id) => wakeUp(id, { tenant: "\ud800" })],
  ["a wait that is no number", (id) => wakeUp(id, { delayMs: "soon" })],
  ["a wait without end", (id) => wakeUp(id, { delayMs: Number.MAX_SAFE_INTEGER })],
];

test.for(GARBAGE)("a message with %s is acknowledged and does nothing (B9)", async ([, message]) => {
  const id = await dueRun();
  const result = await world.broker.deliver([message(id)]);
  expect(result).toMatchObject({ outcome: "ok", retryMessages: [], retryBatch: { retry: false } });
  expect(result.explicitAcks).toHaveLength(1);
  expect(await world.run(id)).toMatchObject({ status: "ready", turn: 0 });
  expect(world.ledger.effects).toEqual([]);
});

test("garbage in a batch harms none of its neighbours (B5)", async () => {
  const ids = await Promise.all(Array.from({ length: 10 }, dueRun));
  const garbage = GARBAGE.map(([, message]) => message(NOBODY));
  const result = await world.broker.deliver([...garbage, ...ids.map((id) => wakeUp(id))]);
  expect(result).toMatchObject({ outcome: "ok", retryMessages: [] });
  expect(result.explicitAcks).toHaveLength(garbage.length + ids.length);
  await world.allReach(ids, "completed");
  expect(world.ledger.effects).toHaveLength(ids.length);
});

test("wake-ups of one run in one batch, and in batches side by side, make one turn (B1)", async () => {
  const id = await dueRun();
  const batch = Array.from({ length: 10 }, () => wakeUp(id));
  const results = await Promise.all(Array.from({ length: 5 }, () => world.broker.deliver(batch)));
  expect(results.every(({ outcome }) => outcome === "ok")).toBe(true);
  expect(await world.reaches(id, "completed")).toMatchObject({ turn: 1 });
  expect(world.ledger.effects).toHaveLength(1);
});

test.for(["completed", "cancelled"] as const)("a wake-up for a %s run does nothing", async (status) => {
  const id = await dueRun();
  if (status === "completed") await world.broker.deliver([wakeUp(id)]);
  else await world.worker.post(`/api/runs/${id}/cancel`);
  const before = await world.reaches(id, status);
  const effects = world.ledger.effects.length;
  const result = await world.broker.deliver([wakeUp(id)]);
  expect(result.explicitAcks).toHaveLength(1);
  expect(await world.run(id)).toEqual(before);
  expect(world.ledger.effects).toHaveLength(effects);
});

test("wake-ups carry ids only", async () => {
  const id = await world.start("nap", { ms: 60_500 }, { tags: ["secret"] });
  await eventually("the second wake-up is sent", () => world.broker.sent.length === 2);
  expect(world.broker.sent.map(({ body }) => body)).toEqual([
    wakeUp(id),
    { ...wakeUp(id), delayMs: expect.any(Number) },
  ]);
});

test("a batch whose claim failed comes again, and nothing is lost", async () => {
  const fault = world.gateway.inject({ on: "claim", when: "before", act: () => "cut" });
  const id = await dueRun();
  const result = await world.broker.deliver([wakeUp(id), null]);
  expect(fault.count).toBe(1);
  expect(result.retryMessages).toEqual([{ msgId: expect.any(String), delaySeconds: 5 }]);
  expect(result.explicitAcks).toHaveLength(1);
  await world.broker.deliver([wakeUp(id)]);
  await world.reaches(id, "completed");
});
