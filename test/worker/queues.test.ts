/** Wake-ups that are spread over three queues. */
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import type { Broker } from "../support/broker.ts";
import { createWorld, type World } from "../support/world.ts";

const RUNS = 30;
const STEPS = 4;

let world: World;

beforeAll(async () => {
  world = await createWorld({}, undefined, undefined, { queues: 3 });
});
afterEach(() => world.settle());
afterAll(() => world?.stop());

const startAll = () =>
  world.startMany(
    "count",
    Array.from({ length: RUNS }, () => ({ steps: STEPS })),
  );

/** The runs whose wake-ups that queue was sent. */
const carriedBy = ({ sent }: Broker) => new Set(sent.map(({ body }) => (body as { runId: string }).runId));

async function expectAllDoneOnce(ids: readonly string[]): Promise<void> {
  await world.allReach(ids, "completed");
  for (const run of await world.runs(ids)) {
    expect(run).toMatchObject({ turn: STEPS, steps_done: STEPS, lost_turns: 0 });
  }
}

test("runs complete over all queues, and each keeps to its own", async () => {
  const ids = await startAll();
  await expectAllDoneOnce(ids);
  const carried = world.brokers.map(carriedBy);
  for (const runs of carried) expect(runs.size).toBeGreaterThan(0);
  const queuesOf = ids.map((id) => carried.filter((runs) => runs.has(id)).length);
  expect(queuesOf).toEqual(ids.map(() => 1));
});

test("the branches of a wide fork go through all queues", async () => {
  const id = await world.start("fan", { width: 200 });
  await world.reaches(id, "completed");
  for (const { sent } of world.brokers) {
    const branches = sent.filter(({ body }) => (body as { branch?: string }).branch !== undefined);
    expect(branches.length).toBeGreaterThanOrEqual(60);
  }
});

test("a queue that refuses stops no run: the others carry its wake-ups, without the sweep", async () => {
  let refused = 0;
  const [, broken] = world.brokers;
  if (broken === undefined) throw new Error("there is no second queue");
  broken.onSend = () => {
    refused += 1;
    throw new Error("The queue refuses.");
  };
  const ids = await startAll();
  await expectAllDoneOnce(ids);
  expect(refused).toBeGreaterThan(0);
  expect(world.worker.logs.some((line) => line.includes("WAKE_UPS_2"))).toBe(true);
});

test("a queue that loses all it takes stops no run: the sweep goes round it", async () => {
  let lost = 0;
  const [first] = world.brokers;
  if (first === undefined) throw new Error("there is no queue");
  first.deliveries = () => {
    lost += 1;
    return 0;
  };
  const ids = await startAll();
  await world.tickUntilCompleted(ids);
  expect(lost).toBeGreaterThan(0);
});

test("runs survive going from three queues to one: what the others hold is still consumed, or else the sweep finds it", async () => {
  const [first, second, third] = world.brokers;
  if (first === undefined || second === undefined || third === undefined)
    throw new Error("there are not three");
  for (const broker of world.brokers) broker.pause();
  const ids = await startAll();
  const held = [second, third].map(carriedBy);
  for (const runs of held) expect(runs.size).toBeGreaterThan(0);

  await world.worker.restart({ vars: { BROKER_URLS: first.url }, paused: true });
  // The third queue is deleted with what it holds; the second still has its consumer.
  third.reset();
  first.resume();
  second.resume();

  const left = ids.filter((id) => !held[1]?.has(id));
  await world.allReach(left, "completed");
  for (const id of held[1] ?? []) expect(await world.run(id)).toMatchObject({ status: "ready" });
  const before = second.sent.length;
  await world.tickUntilCompleted(ids);
  expect(second.sent.length).toBe(before);
  expect(third.sent).toEqual([]);
  await world.worker.restart();
});
