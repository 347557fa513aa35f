/** `step.transaction` in workerd: its writes, its events and the run's journal agree, wherever it is cut off. */
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { createDatabase, type TestDatabase } from "../support/database.ts";
import { type PostgresProxy, startPostgresProxy } from "../support/postgres-proxy.ts";
import { eventually, gate } from "../support/waiting.ts";
import { createWorld, type World } from "../support/world.ts";

let world: World;
let database: TestDatabase;
let proxy: PostgresProxy;

beforeAll(async () => {
  database = await createDatabase();
  proxy = await startPostgresProxy(database.url);
  await database.rows("create table bookings (run_id text not null, attempt int not null)");
  world = await createWorld({}, { ...database, url: proxy.url });
});
afterEach(async () => {
  proxy.onCommit = () => "pass";
  await database.rows("truncate bookings, pawl.outbox, pawl.outbox_sends");
  await world.settle();
});
afterAll(async () => {
  await proxy?.stop();
  await world?.stop();
});

/** What there is of the run's transaction outside its journal. */
const seen = async (id: string) => {
  const bookings = await database.rows<{ attempt: number }>(
    "select attempt from bookings where run_id = $1",
    [id],
  );
  const events = await database.rows("select id from pawl.outbox where run_id = $1", [id]);
  return { bookings: bookings.map(({ attempt }) => attempt), events: events.length };
};
const bodies = (id: string) => world.ledger.of(id).filter(({ step }) => step === "book").length;
const journal = async (id: string) =>
  (await world.journal(id)).map(({ key, kind, outcome, attempt }) => [key, kind, outcome, attempt]);

const BOOKED = ["book", "transaction", "completed", 1];
const TOLD = ["tell", "step", "completed", 1];

test("what it writes, its event and its entry are there once, and the run goes on with its output", async () => {
  const id = await world.start("bookkeeper", {});
  expect(await world.reaches(id, "completed")).toMatchObject({ output: 1, steps_done: 2 });
  expect(await seen(id)).toEqual({ bookings: [1], events: 1 });
  expect(await journal(id)).toEqual([BOOKED, TOLD]);
  const [event] = await database.rows("select id, type, data, workflow from pawl.outbox");
  expect(event).toEqual({
    id: `${id}/book/1`,
    type: "booking.made",
    data: { attempt: 1 },
    workflow: "bookkeeper",
  });
});

test("killed in the body, nothing of it is there, and it is done once", async () => {
  world.ledger.onEffect = ({ step }) => {
    if (step === "book" && world.worker.kills === before) world.worker.kill();
  };
  const before = world.worker.kills;
  const id = await world.start("bookkeeper", {});
  await eventually("it is killed", () => !world.worker.alive);
  expect(await seen(id)).toEqual({ bookings: [], events: 0 });
  await world.worker.restart();
  await world.expireLeases();
  await world.reaches(id, "completed");
  expect(await seen(id)).toEqual({ bookings: [1], events: 1 });
  expect(bodies(id)).toBe(2);
});

test.for([
  ["before it reaches Postgres", "cut before", 2],
  ["after Postgres has committed", "cut after", 1],
] as const)("killed at the commit, %s, it is done once", async ([, fate, times]) => {
  const kills = world.worker.kills;
  proxy.onCommit = () => {
    if (world.worker.kills > kills) return "pass";
    world.worker.kill();
    return fate;
  };
  const id = await world.start("bookkeeper", {});
  await eventually("it is killed", () => !world.worker.alive);
  if (fate === "cut after") {
    await eventually("it has committed", async () => (await seen(id)).events === 1);
  }
  await world.worker.restart();
  await world.expireLeases();
  await world.reaches(id, "completed");
  expect(await seen(id)).toEqual({ bookings: [1], events: 1 });
  expect(bodies(id)).toBe(times);
  expect(await journal(id)).toEqual([BOOKED, TOLD]);
});

test("a commit whose answer is lost counts, and nobody waits for a lease", async () => {
  proxy.onCommit = () => "cut after";
  const id = await world.start("bookkeeper", {});
  await world.reaches(id, "completed");
  expect(await seen(id)).toEqual({ bookings: [1], events: 1 });
  expect(bodies(id)).toBe(1);
});

test("a body that throws leaves nothing behind, and its failure is journaled outside the rollback", async () => {
  world.ledger.onEffect = ({ step, attempt }) => (step === "book" && attempt < 3 ? { fail: "not yet" } : {});
  const id = await world.start("bookkeeper", {});
  expect(await world.reaches(id, "completed")).toMatchObject({ output: 1 });
  expect(await seen(id)).toEqual({ bookings: [3], events: 1 });
  expect(await journal(id)).toEqual([
    ["book", "transaction", "retrying", 1],
    ["book", "transaction", "retrying", 2],
    ["book", "transaction", "completed", 3],
    TOLD,
  ]);
});

test("an error that the body swallowed fails the step by name (C3)", async () => {
  const id = await world.start("bookkeeper", { ends: "swallowed" });
  const run = await world.reaches(id, "failed");
  expect(run.failure).toMatchObject({ step: "book", cause: { code: "transaction_aborted" } });
  expect(await seen(id)).toEqual({ bookings: [], events: 0 });
});

test("a body that goes on after its timeout writes nothing", async () => {
  const held = gate<number>();
  world.ledger.onEffect = async ({ step, attempt }) => {
    if (step === "book" && attempt === 1) await held.pass(attempt);
  };
  const id = await world.start("bookkeeper", { timeoutMs: 1_000 });
  await world.reaches(id, "completed");
  held.open();
  expect(await seen(id)).toEqual({ bookings: [2], events: 1 });
  expect(await journal(id)).toEqual([
    ["book", "transaction", "retrying", 1],
    ["book", "transaction", "completed", 2],
    TOLD,
  ]);
});

test("a zombie whose branch another invocation took over writes nothing", async () => {
  const other = await world.secondWorker();
  const held = gate<number>();
  let first = true;
  world.ledger.onEffect = async ({ step }) => {
    if (step !== "book" || !first) return;
    first = false;
    await held.pass(1);
  };
  const id = await world.start("bookkeeper", {});
  await held.reached;
  world.broker.pause();
  await database.moveClock(600_001);
  await other.tick();
  await database.moveClock(90_000);
  await other.tick();
  await eventually(
    "another invocation finishes the run",
    async () => (await world.run(id)).status === "completed",
  );
  held.open();
  await eventually(
    "the zombie has come to its end",
    async () =>
      (
        await database.rows(
          "select from pg_stat_activity where state like 'idle in transaction%' and datname = current_database()",
        )
      ).length === 0,
  );
  expect(await seen(id)).toEqual({ bookings: [1], events: 1 });
  expect(bodies(id)).toBe(2);
});

test("a worker that freezes in the body holds its rows no longer than a body may pause, and writes nothing once it is back (C15)", async () => {
  const other = await world.secondWorker();
  const held = gate<number>();
  world.ledger.onEffect = async ({ step }) => {
    if (step !== "book" || held.arrivals.length > 0) return;
    world.worker.pause();
    await held.pass(1);
  };
  const id = await world.start("bookkeeper", { pauseMs: 3_000 });
  await held.reached;
  const locks = () =>
    database.rows("select from pg_locks where relation = 'bookings'::regclass and mode = 'RowExclusiveLock'");
  expect(await locks()).toHaveLength(1);
  await eventually("Postgres has ended the transaction", async () => (await locks()).length === 0);
  await database.moveClock(600_001);
  await other.tick();
  await database.moveClock(90_000);
  await other.tick();
  await world.reaches(id, "completed");
  held.open();
  world.worker.resume();
  await world.worker.idle();
  expect(await seen(id)).toEqual({ bookings: [1], events: 1 });
  expect(await journal(id)).toEqual([BOOKED, TOLD]);
});
