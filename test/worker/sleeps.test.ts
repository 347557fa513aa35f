import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { eventually } from "../support/waiting.ts";
import { createWorld, type World } from "../support/world.ts";

const DAY_MS = 86_400_000;

let world: World;

beforeAll(async () => {
  world = await createWorld();
});
afterEach(() => world.settle());
afterAll(() => world?.stop());

/** Resolves once the run sleeps and the wake-up for its end is on its way. */
async function asleep(id: string) {
  await eventually("its wake-up is sent", () => world.broker.sent.length === 2);
  return world.reaches(id, "waiting");
}

const steps = (id: string) => world.ledger.of(id).map(({ step }) => step);

test("a sleeping run is parked: no lease, one timer, a wake-up for its end", async () => {
  const id = await world.start("nap", { ms: 3_600_000 });
  const { wake_at, lease_expires_at, turn, current_step } = await asleep(id);
  expect({ lease_expires_at, turn, current_step }).toEqual({
    lease_expires_at: null,
    turn: 1,
    current_step: "nap",
  });
  const timers = await world.database.rows("select key, due_at from pawl.timers where run_id = $1", [id]);
  expect(timers).toEqual([{ key: "nap", due_at: wake_at }]);
  expect(world.broker.sent.map(({ delaySeconds }) => delaySeconds)).toEqual([0, 3_600]);
  expect(steps(id)).toEqual(["before"]);
});

test("a wake-up that comes before the sleep is over does nothing", async () => {
  const id = await world.start("nap", { ms: 3_600_000 });
  await asleep(id);
  await world.broker.deliver([{ v: 1, tenant: "default", runId: id }]);
  expect(world.gateway.count("claim")).toBe(2);
  expect(await world.run(id)).toMatchObject({ status: "waiting", turn: 1 });
});

test("a sleep ends by its delayed wake-up once the clock has reached it", async () => {
  const id = await world.start("nap", { ms: 3_600_000 });
  await asleep(id);
  await world.database.moveClock(3_600_001);
  world.broker.hurry();
  expect(await world.reaches(id, "completed")).toMatchObject({ turn: 2, output: "rested" });
  expect(steps(id)).toEqual(["before", "after"]);
  expect((await world.journal(id)).map(({ kind, key, turn }) => [kind, key, turn])).toEqual([
    ["step", "before", 1],
    ["sleep", "nap", 2],
    ["step", "after", 2],
  ]);
});

test("a sleep whose wake-up was lost is woken by the sweep (E1)", async () => {
  const id = await world.start("nap", { ms: 3_600_000 });
  await asleep(id);
  // Losing what is delayed is what a restart of the queue does.
  world.broker.reset();
  await world.database.moveClock(3_600_000 + 15_001);
  await world.worker.tick();
  await world.reaches(id, "completed");
  expect(steps(id)).toEqual(["before", "after"]);
});

test("a sleep beyond the queue's reach is woken by the sweep, with the delay that is left (E4)", async () => {
  const id = await world.start("nap", { ms: 2 * DAY_MS });
  expect(await world.reaches(id, "waiting")).toMatchObject({ wake_up_sent_at: null });
  expect(world.broker.sent).toHaveLength(1);
  await world.database.moveClock(DAY_MS);
  await world.worker.tick();
  expect(world.broker.sent).toHaveLength(1);
  await world.database.moveClock(DAY_MS - 60_000);
  await world.worker.tick();
  expect(world.broker.sent).toHaveLength(2);
  expect(world.broker.sent[1]?.delaySeconds).toBeGreaterThan(30);
  expect(world.broker.sent[1]?.delaySeconds).toBeLessThanOrEqual(60);
  await world.worker.tick();
  expect(world.broker.sent).toHaveLength(2);
  await world.database.moveClock(60_001);
  world.broker.hurry();
  expect(await world.reaches(id, "completed")).toMatchObject({ turn: 2, lost_turns: 0 });
  expect(steps(id)).toEqual(["before", "after"]);
});

test("a run past its deadline fails by itself while it sleeps", async () => {
  const id = await world.start("nap", { ms: 2 * DAY_MS }, { deadline: "1 day" });
  const { wake_at } = await asleep(id);
  const [timer] = await world.database.rows<{ due_at: Date }>("select due_at from pawl.timers");
  expect(timer?.due_at.getTime()).toBeGreaterThan(wake_at?.getTime() ?? Number.POSITIVE_INFINITY);
  await world.database.moveClock(DAY_MS + 15_001);
  await world.worker.tick();
  const { failure } = await world.reaches(id, "failed");
  expect(failure?.code).toBe("deadline_exceeded");
  expect(steps(id)).toEqual(["before"]);
});

test("a run whose start is delayed takes no turn before", async () => {
  const id = await world.start("count", { steps: 1 }, { delay: "1h" });
  await world.broker.deliver([{ v: 1, tenant: "default", runId: id }]);
  expect(await world.run(id)).toMatchObject({ status: "ready", turn: 0 });
  await world.database.moveClock(3_600_001);
  world.broker.hurry();
  await world.reaches(id, "completed");
});

test.for([0, 1])("a sleep of %d ms is over at once (E4)", async (ms) => {
  const id = await world.start("nap", { ms });
  await world.reaches(id, "completed");
  expect(steps(id)).toEqual(["before", "after"]);
});

// More than a timer of 32 bits can count, and the longest there is.
test.for([25, 3_650])("a sleep of %d days is kept by Postgres, and over when they are (E4)", async (days) => {
  const id = await world.start("nap", { ms: days * DAY_MS });
  const { wake_at } = await world.reaches(id, "waiting");
  expect(await world.database.rows("select due_at from pawl.timers where run_id = $1", [id])).toEqual([
    { due_at: wake_at },
  ]);
  await world.database.moveClock(days * DAY_MS - 60_000);
  await world.worker.tick();
  expect(await world.run(id)).toMatchObject({ status: "waiting", turn: 1 });
  await world.database.moveClock(60_001);
  world.broker.hurry();
  await world.reaches(id, "completed");
  expect(steps(id)).toEqual(["before", "after"]);
  await world.database.moveClock(-days * DAY_MS);
});

test.for([
  ["a hundred years", 36_500 * DAY_MS],
  ["less than nothing", -1],
] as const)("a sleep of %s fails its run by name (E4, E5)", async ([, ms]) => {
  const id = await world.start("nap", { ms });
  const { failure } = await world.reaches(id, "failed");
  expect(failure).toMatchObject({ code: "invalid_duration" });
  expect(steps(id)).toEqual(["before"]);
  expect(await world.database.rows("select from pawl.timers")).toEqual([]);
});
