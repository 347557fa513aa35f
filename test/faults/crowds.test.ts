/** Much at once, in one isolate and on one database. */
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import type { Effect } from "../support/ledger.ts";
import { eventually, gate } from "../support/waiting.ts";
import { createWorld, type World } from "../support/world.ts";

let world: World;

beforeAll(async () => {
  world = await createWorld();
  // Whatever a transaction writes leaves a line that names it.
  await world.database.rows("create table bookings (run_id text not null, attempt int not null)");
  await world.database.rows(
    "create table written (xid xid8 not null default pg_current_xact_id(), run_id text not null, what text not null)",
  );
  await world.database.rows(`create function note() returns trigger language plpgsql as
    $$ begin insert into written (run_id, what) values (new.run_id, tg_table_name); return null; end $$`);
  for (const table of ["bookings", "pawl.deliveries", "pawl.outbox"])
    await world.database.rows(
      `create trigger note after insert on ${table} for each row execute function note()`,
    );
});
afterEach(async () => {
  await world.settle();
  await world.database.rows("truncate bookings, written");
});
afterAll(() => world?.stop());

interface Written {
  readonly runs: string[];
  readonly what: string[];
}
/** What each transaction wrote, and for which runs. */
const transactions = () =>
  world.database.rows<Written>(
    `select array_agg(distinct run_id) as runs, array_agg(what order by what) as what from written group by xid`,
  );

test("fifty requests at once, and as many one after the other, are each answered in one isolate (C10)", async () => {
  const { worker, ledger, broker } = world;
  broker.pause();
  const one = async (n: number) => {
    const key = { "idempotency-key": `crowd ${n}` };
    const started = await worker.post("/api/workflows/count/runs", { input: { steps: 1 } }, key);
    const { id } = started.body as { id: string };
    const others = [`/api/runs/${id}`, `/api/runs/${id}/journal`, `/api/runs?limit=5`, "/healthz"];
    const read = await Promise.all(others.map((path) => worker.get(path)));
    const again = await worker.post("/api/workflows/count/runs", { input: { steps: 1 } }, key);
    return { id, answers: [started, ...read, again].map(({ status }) => status) };
  };
  const crowd = await Promise.all(Array.from({ length: 50 }, (_, n) => one(n)));
  const row: typeof crowd = [];
  for (let n = 50; n < 100; n++) row.push(await one(n));
  for (const { answers } of [...crowd, ...row]) expect(answers).toEqual([201, 200, 200, 200, 200, 200]);
  broker.resume();
  const ids = [...crowd, ...row].map(({ id }) => id);
  await world.allReach(ids, "completed");
  expect(ledger.effects).toHaveLength(ids.length);
  expect(worker.logs.filter((line) => line.includes("I/O on behalf of a different request"))).toEqual([]);
});

test("of 200 batches of statements at once each is a transaction of its own (C19)", async () => {
  const { db, rows } = world.database;
  const insert = (n: number, part: number) => ({
    text: "insert into written (run_id, what) values ($1, $2)",
    params: [`batch ${n}`, `part ${part}`],
  });
  const batches = Array.from({ length: 200 }, (_, n) => [1, 2, 3].map((part) => insert(n, part)));
  await Promise.all(batches.map((batch) => db.execute(batch)));
  const written = await transactions();
  expect(written).toHaveLength(200);
  for (const { runs, what } of written) {
    expect(runs).toHaveLength(1);
    expect(what).toEqual(["part 1", "part 2", "part 3"]);
  }
  expect(await rows("select from written")).toHaveLength(600);
});

test("of forty bodies at once each has a transaction to itself, with its outcome and its event (C19)", async () => {
  const count = 40;
  const door = gate<Effect>();
  world.ledger.onEffect = (effect) => (effect.step === "book" ? door.pass(effect) : undefined);
  const ids = await world.startMany(
    "bookkeeper",
    Array.from({ length: count }, () => ({})),
  );
  await eventually("all are in their body", () => door.arrivals.length === count);
  door.open();
  await world.allReach(ids, "completed");
  const booked = (await transactions()).filter(({ what }) => what.includes("bookings"));
  expect(booked).toHaveLength(count);
  for (const { runs, what } of booked) {
    expect(runs).toHaveLength(1);
    expect(what).toEqual(["bookings", "deliveries", "outbox"]);
  }
  expect(new Set(booked.flatMap(({ runs }) => runs))).toEqual(new Set(ids));
});

test("a transaction that keeps its snapshot for long holds up no run (C16)", async () => {
  const { pool } = world.database;
  const analyst = await pool.connect();
  try {
    await analyst.query("begin isolation level repeatable read");
    await analyst.query("select count(*) from pawl.runs");
    const ids = await world.startMany(
      "count",
      Array.from({ length: 50 }, () => ({ steps: 5 })),
    );
    await world.allReach(ids, "completed");
    const { rows: seen } = await analyst.query("select count(*)::int as n from pawl.runs");
    expect(seen).toEqual([{ n: 0 }]);
    expect(world.ledger.effects).toHaveLength(250);
  } finally {
    await analyst.query("rollback");
    analyst.release();
  }
});
