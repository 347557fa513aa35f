/** A queue that doubles, loses, reorders, delays and refuses. */
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { eventually } from "../support/waiting.ts";
import { createWorld, type World } from "../support/world.ts";

const GRACE_MS = 15_000;
const RUNS = 20;
const STEPS = 4;
const MINUTE_MS = 60_000;

let world: World;

beforeAll(async () => {
  world = await createWorld();
});
afterEach(() => world.settle());
afterAll(() => world?.stop());

const startAll = () =>
  world.startMany(
    "count",
    Array.from({ length: RUNS }, () => ({ steps: STEPS })),
  );

/** Each run completed, each of its steps done once, in its order. */
async function expectAllDoneOnce(ids: readonly string[]): Promise<void> {
  await world.allReach(ids, "completed");
  for (const run of await world.runs(ids)) {
    expect(run).toMatchObject({ turn: STEPS, steps_done: STEPS, lost_turns: 0 });
    expect(world.ledger.of(run.id).map(({ step }) => step)).toEqual(
      Array.from({ length: STEPS }, (_, i) => `count ${i + 1}`),
    );
  }
}

test("messages delivered two to five times make no step run twice (B1)", async () => {
  let doubled = 0;
  world.broker.deliveries = () => {
    doubled += 1;
    return 2 + (doubled % 4);
  };
  const ids = await startAll();
  await expectAllDoneOnce(ids);
  expect(doubled).toBeGreaterThanOrEqual(RUNS * STEPS);
});

test("with every message lost, all runs finish by the sweep alone (B2, B6)", async () => {
  let lost = 0;
  world.broker.deliveries = () => {
    // A wake-up after a commit is lost; what the sweep sends again comes through, or nothing ever could.
    const sweeping = world.gateway.answered.at(-1)?.verb;
    if (sweeping === "collect" || sweeping === "tick" || sweeping === "reclaim") return 1;
    lost += 1;
    return 0;
  };
  const ids = await startAll();
  expect((await world.runs(ids)).every(({ turn }) => turn === 0)).toBe(true);
  await world.tickUntilCompleted(ids);
  await expectAllDoneOnce(ids);
  expect(lost).toBeGreaterThanOrEqual(RUNS);
});

test("messages of earlier steps that come late do nothing (B3)", async () => {
  const ids = await startAll();
  const late: unknown[] = [];
  world.broker.deliveries = (body) => {
    late.push(body);
    return 1;
  };
  await world.allReach(ids, "completed");
  expect(late.length).toBeGreaterThanOrEqual(RUNS * (STEPS - 1));
  const claims = world.gateway.count("claim");
  await world.broker.deliver(late.slice(0, 30));
  expect(world.gateway.count("claim")).toBe(claims + 1);
  await expectAllDoneOnce(ids);
});

test("messages in any order, old ones among the new, make each step run once (B3)", async () => {
  const old: unknown[] = [];
  let reordered = 0;
  world.broker.arrange = (waiting) => {
    if (waiting.length > 1) reordered += 1;
    old.push(...waiting);
    return [...waiting.reverse(), ...old.slice(-3)];
  };
  const ids = await startAll();
  await expectAllDoneOnce(ids);
  expect(reordered).toBeGreaterThan(0);
});

test("a message delayed past lease and grace finds its run done long ago (B4)", async () => {
  const delayed: unknown[] = [];
  world.broker.deliveries = (body) => {
    delayed.push(body);
    return 0;
  };
  const ids = await startAll();
  expect(delayed).toHaveLength(RUNS);
  world.broker.deliveries = () => 1;
  await world.expireLeases();
  await expectAllDoneOnce(ids);
  expect((await world.broker.deliver(delayed)).explicitAcks).toHaveLength(RUNS);
  await expectAllDoneOnce(ids);
});

test("a queue that forgets all it holds costs time only (B4)", async () => {
  world.broker.deliveries = () => 0;
  const ids = await startAll();
  world.broker.reset();
  await world.database.moveClock(GRACE_MS + 1);
  await world.worker.tick();
  await expectAllDoneOnce(ids);
});

test("a start whose wake-up cannot be sent is still answered with the run's id, and runs later (B7)", async () => {
  let refused = 0;
  world.broker.onSend = () => {
    refused += 1;
    throw new Error("The queue is full.");
  };
  const id = await world.start("count", { steps: 1 });
  expect(refused).toBe(1);
  expect(world.broker.sent).toEqual([]);
  world.broker.onSend = () => {};
  await world.database.moveClock(GRACE_MS + 1);
  await world.worker.tick();
  await world.reaches(id, "completed");
});

test("a turn whose next wake-up cannot be sent has committed all the same (B7)", async () => {
  let refused = 0;
  world.broker.onSend = () => {
    if (world.gateway.count("commit") === 0) return;
    refused += 1;
    throw new Error("The queue is full.");
  };
  const id = await world.start("count", { steps: 2 });
  await eventually("the send is refused", () => refused === 1);
  expect(await world.run(id)).toMatchObject({ status: "ready", steps_done: 1 });
  world.broker.onSend = () => {};
  await world.database.moveClock(GRACE_MS + 1);
  await world.worker.tick();
  await world.reaches(id, "completed");
  expect(world.ledger.of(id).map(({ step }) => step)).toEqual(["count 1", "count 2"]);
});

test("a sweep whose wake-ups cannot be sent sends them again after the grace (B7)", async () => {
  world.broker.deliveries = () => 0;
  const ids = await startAll();
  let refused = 0;
  world.broker.onSend = () => {
    refused += 1;
    throw new Error("The queue is full.");
  };
  await world.database.moveClock(GRACE_MS + 1);
  await world.worker.tick();
  expect(refused).toBe(1);
  world.broker.reset();
  await world.database.moveClock(GRACE_MS + 1);
  await world.worker.tick();
  await expectAllDoneOnce(ids);
});

test("a send that reports an error after the queue took it makes a duplicate at worst (B8)", async () => {
  const taken: unknown[] = [];
  world.broker.onSend = (body) => {
    taken.push(body);
    throw new Error("The answer was lost.");
  };
  const id = await world.start("count", { steps: 1 });
  expect(taken).toHaveLength(1);
  await world.broker.deliver([...taken, ...taken]);
  expect(await world.reaches(id, "completed")).toMatchObject({ turn: 1 });
});

test("a message that comes before its run can be seen does nothing, and the run's own starts it (B10)", async () => {
  const early: { id: string; acknowledged: number }[] = [];
  world.gateway.inject({
    on: "start",
    when: "before",
    act: async ({ queries }) => {
      const [id = ""] = /[0-9A-HJKMNP-TV-Z]{26}/.exec(JSON.stringify(queries)) ?? [];
      const { explicitAcks } = await world.broker.deliver([{ v: 1, tenant: "default", runId: id }]);
      early.push({ id, acknowledged: explicitAcks.length });
      return undefined;
    },
  });
  const id = await world.start("count", { steps: 1 });
  expect(early).toEqual([{ id, acknowledged: 1 }]);
  expect(await world.reaches(id, "completed")).toMatchObject({ turn: 1, lost_turns: 0 });
});

test("ten minutes of messages that come all at once cost no lease and make no step run twice (B12)", async () => {
  world.broker.pause();
  const ids = await startAll();
  for (let minute = 1; minute <= 10; minute++) {
    await world.database.moveClock(MINUTE_MS);
    await world.worker.tick();
  }
  // Its first wake-up and one from each tick wait for every run.
  expect(world.broker.sent).toHaveLength(RUNS * 11);
  expect((await world.runs(ids)).every(({ turn }) => turn === 0)).toBe(true);
  world.broker.resume();
  await expectAllDoneOnce(ids);
});
