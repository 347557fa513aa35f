/** A signal that comes with a start, against whatever else happens to its run at that moment. */
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { encode } from "../../src/engine/codec.ts";
import type { Db, Row } from "../../src/storage/db.ts";
import { createStore } from "../../src/storage/store.ts";
import { createDatabase, type TestDatabase } from "../support/database.ts";
import { eventually } from "../support/waiting.ts";
import { LEASE, newRun, only } from "./support/builders.ts";
import { openSession, type Session, whileHeld } from "./support/sessions.ts";

let database: TestDatabase;
beforeAll(async () => {
  database = await createDatabase();
});
afterEach(async () => {
  expect(await database.rows("select * from pawl.stuck_runs")).toEqual([]);
});
afterAll(() => database.drop());

const start = (key: string, store = database.store) => {
  const run = newRun({ idempotencyKey: key });
  const signal = { runId: run.id, name: "go", payload: encode(1, "x"), id: null };
  return store.startRuns("default", [run], [signal]);
};

/** What the commit of a turn does that parks its run for an hour. */
const PARK = `update pawl.runs set status = 'waiting', lease_expires_at = null, wake_at = pawl.clock() + interval '1 hour'
  where tenant = 'default' and id = $1`;

/** The store of a session, whose first statement is followed by `then` before the others are sent. */
function pausing({ query }: Session, then: (others: () => Promise<unknown>) => Promise<void>): Db {
  return {
    async execute([first, ...rest]) {
      if (first === undefined) return [];
      await query("begin");
      const answers: Row[][] = [await query(first.text, first.params)];
      await then(async () => {
        for (const { text, params } of rest) answers.push(await query(text, params));
      });
      await query("commit");
      return answers;
    },
  };
}

test("one that arrives while a commit parks its run wakes it (I4, F1)", async () => {
  const { run } = only(await database.store.startRuns("default", [newRun({ idempotencyKey: "park" })]));
  await database.store.claimRuns([run], LEASE);
  const [starter, turn] = [await openSession(database.url), await openSession(database.url)];
  const db = pausing(starter, async (others) => {
    await turn.query("begin");
    await turn.query(PARK, [run.runId]);
    const delivering = others();
    await eventually("the start waits for the commit", async () => {
      const waiting =
        "select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'";
      return (await database.rows(waiting)).length > 0;
    });
    await turn.query("commit");
    await delivering;
  });
  expect(only(await start("park", createStore(db)))).toMatchObject({
    created: false,
    woken: true,
    wakeInMs: 0,
  });
  expect(await database.reads.run(run)).toMatchObject({ status: "waiting" });
  await starter.end();
  await turn.end();
});

test("one for a run that ends at that moment is refused, and not kept", async () => {
  const { run } = only(await database.store.startRuns("default", [newRun({ idempotencyKey: "end" })]));
  const end =
    "update pawl.runs set status = 'cancelled', wake_at = null, finished_at = pawl.clock() where id = $1";
  const works = [() => start("end").catch((error: unknown) => error)];
  const [answer] = await whileHeld(database, { text: end, params: [run.runId] }, works);
  expect(answer).toMatchObject({ code: "wrong_status" });
  expect(await database.rows("select from pawl.deliveries where run_id = $1", [run.runId])).toEqual([]);
});

test("one for a run that another start is just inserting goes to that run", async () => {
  const session = await openSession(database.url);
  await session.query("begin");
  const first = newRun({ idempotencyKey: "both" });
  await session.query(
    `insert into pawl.runs (tenant, id, workflow, version, status, wake_at, created_at, tags, idempotency_key, input)
     values ('default', $1, 'ship', 1, 'ready', pawl.clock(), pawl.clock(), '{}', 'both', '{"order": 7}')`,
    [first.id],
  );
  const starting = start("both");
  await session.query("commit");
  await session.end();
  expect(only(await starting)).toMatchObject({ created: false, run: { runId: first.id } });
  expect(
    await database.rows("select run_id from pawl.deliveries where run_id = $1", [first.id]),
  ).toHaveLength(1);
});
