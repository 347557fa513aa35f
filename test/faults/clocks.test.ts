/** The one clock, when it jumps, is not the worker's, or is read in another time zone. */
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { createDatabase } from "../support/database.ts";
import type { Effect } from "../support/ledger.ts";
import { eventually, gate } from "../support/waiting.ts";
import { createWorld, type World } from "../support/world.ts";

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const LEASE_MS = 10 * MINUTE;
const GRACE_MS = 15 * SECOND;

/** Sessions of this database read and show times fourteen hours ahead of UTC. */
const ZONE = "Pacific/Kiritimati";

let world: World;

beforeAll(async () => {
  const database = await createDatabase();
  await database.rows(
    `do $$ begin execute format('alter database %I set timezone = ''${ZONE}''', current_database()); end $$`,
  );
  world = await createWorld({ PAWL_LEASE_MS: String(LEASE_MS) }, database);
});
afterEach(() => world.settle());
afterAll(() => world?.stop());

const steps = (id: string) => world.ledger.of(id).map(({ step }) => step);
const now = async () => {
  const [row] = await world.database.rows<{ now: Date }>("select pawl.clock() as now");
  return row?.now.getTime() ?? 0;
};
/** How far the clock has gone meanwhile, besides the moments that the work took. */
async function clockDuring(work: () => Promise<void>): Promise<number> {
  const before = await now();
  await work();
  return (await now()) - before;
}

/** A run that sleeps, and whose wake-up is lost. */
async function asleep(ms: number): Promise<string> {
  world.broker.deliveries = () => 1;
  const id = await world.start("nap", { ms });
  await eventually("its wake-up is sent", () => world.broker.sent.length === 2);
  await world.reaches(id, "waiting");
  world.broker.reset();
  return id;
}

test("an hour that is skipped ends leases early: the step runs again, and is journaled once (D9)", async () => {
  const { ledger, database, worker, broker } = world;
  const door = gate<Effect>();
  ledger.onEffect = (effect) => (door.arrivals.length === 0 ? door.pass(effect) : {});
  const id = await world.start("count", { steps: 2 });
  await door.reached;
  expect(await clockDuring(() => database.moveClock(HOUR))).toBeGreaterThanOrEqual(HOUR);
  await worker.tick();
  expect(await world.run(id)).toMatchObject({ status: "ready", turn: 2, lost_turns: 1 });
  await database.moveClock(MINUTE);
  broker.hurry();
  await world.reaches(id, "completed");
  door.open();
  await eventually("the first turn's commit is refused", () => world.gateway.count("read back") === 1);
  expect(world.gateway.answered.find(({ verb }) => verb === "read back")?.rows).toEqual([0]);
  expect(steps(id)).toEqual(["count 1", "count 1", "count 2"]);
  expect((await world.journal(id)).map(({ key, turn }) => [key, turn])).toEqual([
    ["count", 3],
    ["count#2", 4],
  ]);
});

describe.each([
  ["an hour", HOUR],
  ["three days", 3 * DAY],
])("a clock that goes back %s", (_, jump) => {
  afterEach(() => world.database.moveClock(jump));

  test("ends no sleep early, and ends it once the clock has come to its time (D9)", async () => {
    const { database, worker, broker } = world;
    const id = await asleep(MINUTE);
    expect(await clockDuring(() => database.moveClock(-jump))).toBeLessThan(0);
    await database.moveClock(MINUTE + GRACE_MS + 1);
    await worker.tick();
    await broker.deliver([{ v: 1, tenant: "default", runId: id }]);
    expect(await world.run(id)).toMatchObject({ status: "waiting", turn: 1 });
    expect(steps(id)).toEqual(["before"]);
    await database.moveClock(jump);
    await worker.tick();
    expect(await world.reaches(id, "completed")).toMatchObject({ lost_turns: 0 });
    expect(steps(id)).toEqual(["before", "after"]);
    await database.moveClock(-jump);
  });

  test("loses no run: what is started or goes on meanwhile goes on, what was killed waits for its lease (D9)", async () => {
    const { ledger, database, worker } = world;
    const door = gate<Effect>();
    ledger.onEffect = (effect) => (door.arrivals.length < 2 ? door.pass(effect) : {});
    const [slow = "", killed = ""] = await world.startMany("count", [{ steps: 2 }, { steps: 1 }]);
    await eventually("both are in their step", () => door.arrivals.length === 2);
    await database.moveClock(-jump);
    door.open();
    await world.allReach([slow, killed], "completed");
    ledger.reset();
    ledger.onEffect = () => worker.kill();
    const lost = await world.start("count", { steps: 1 });
    await eventually("it is killed", () => !worker.alive);
    ledger.reset();
    await worker.restart();
    await world.expireLeases();
    const later = await world.start("count", { steps: 1 });
    await world.allReach([lost, later], "completed");
    expect(steps(lost)).toEqual(["count 1"]);
  });
});

describe.each([
  ["ahead of", -10 * MINUTE],
  ["behind", 10 * MINUTE],
])("a worker whose clock is ten minutes %s the database's", (_, apart) => {
  test("loses no lease, and asks for wake-ups after the sleep and nothing more (D9)", async () => {
    const { database, broker } = world;
    await database.moveClock(apart);
    const id = await world.start("nap", { ms: HOUR });
    await eventually("its wake-up is sent", () => broker.sent.length === 2);
    expect(broker.sent.map(({ delaySeconds }) => delaySeconds)).toEqual([0, HOUR / SECOND]);
    await database.moveClock(HOUR + 1);
    broker.hurry();
    expect(await world.reaches(id, "completed")).toMatchObject({ turn: 2, lost_turns: 0 });
    expect(steps(id)).toEqual(["before", "after"]);
    await database.moveClock(-apart);
  });
});

test("sessions in another time zone keep and show the same instants (D9)", async () => {
  const [[zone] = []] = await world.database.db.execute([{ text: "show timezone", params: [] }]);
  expect(zone).toEqual({ TimeZone: ZONE });
  const id = await asleep(20 * HOUR);
  const [row] = await world.database.rows<{ due: number; woken: number }>(
    `select extract(epoch from t.due_at)::float8 * 1000 as due, extract(epoch from r.wake_at)::float8 * 1000 as woken
     from pawl.timers t join pawl.runs r on r.id = t.run_id where r.id = $1`,
    [id],
  );
  const { body } = await world.worker.get(`/api/runs/${id}`);
  const { wakeAt } = body as { wakeAt: string };
  expect([row?.due, Date.parse(wakeAt)]).toEqual([row?.woken, Math.floor(row?.woken ?? 0)]);
  expect(wakeAt.endsWith("Z")).toBe(true);
  await world.database.moveClock(20 * HOUR + GRACE_MS + 1);
  await world.worker.tick();
  await world.reaches(id, "completed");
});

test.for([
  ["a run's turn", "fragile", { attempts: 3 }, "fragile"],
  ["a branch", "mapped", { items: 2, concurrency: 2 }, "item 0"],
] as const)(
  "the wake-up of an attempt that comes again while a later one runs does nothing: %s (D11)",
  async ([, workflow, input, step]) => {
    const { ledger, broker, gateway } = world;
    const door = gate<Effect>();
    ledger.onEffect = (effect) => {
      if (effect.step !== step) return {};
      return effect.attempt === 1 ? { fail: "not yet" } : door.pass(effect);
    };
    const id = await world.start(workflow, input);
    expect(await door.reached).toMatchObject({ attempt: 2 });
    const claims = () => gateway.count("claim") + gateway.count("claim branches");
    const before = claims();
    await broker.deliver(broker.sent.map(({ body }) => body));
    expect(claims()).toBeGreaterThan(before);
    door.open();
    await world.reaches(id, "completed");
    expect(ledger.of(id).flatMap(({ step: name, attempt }) => (name === step ? [attempt] : []))).toEqual([
      1, 2,
    ]);
    expect(await world.run(id)).toMatchObject({ lost_turns: 0 });
  },
);
