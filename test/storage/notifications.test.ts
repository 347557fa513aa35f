import pg from "pg";
import { afterAll, beforeAll, expect, test } from "vitest";
import { createDatabase, type TestDatabase } from "../support/database.ts";
import { decision, LEASE, newRun, only } from "./support/builders.ts";

let database: TestDatabase;
let listener: pg.Client;
const heard: unknown[] = [];

beforeAll(async () => {
  database = await createDatabase();
  listener = new pg.Client({ connectionString: database.url });
  await listener.connect();
  listener.on("notification", ({ payload }) => heard.push(JSON.parse(payload ?? "null")));
  await listener.query("listen pawl_runs");
});
afterAll(async () => {
  await listener.end();
  await database.drop();
});

/** A run that waits once and then completes; gives what was heard of it. */
async function live(): Promise<unknown[]> {
  heard.length = 0;
  const { store } = database;
  const { run } = only(await store.startRuns("default", [newRun()]));
  for (const status of ["waiting", "completed"] as const) {
    const { claimed } = await store.claimRuns([run], LEASE);
    await store.commitTurns([decision(only(claimed), { status })]);
  }
  // Whatever was notified before this answer has been handed over by now.
  await listener.query("select 1");
  return heard.map((told) => ({ ...(told as object), id: (told as { id: string }).id === run.runId }));
}

test("nothing is notified unless it was asked for", async () => {
  expect(await live()).toEqual([]);
});

test("a run that begins to wait and one that ends tell their listeners, until that is switched off", async () => {
  await database.rows("select pawl.notify_runs(true)");
  const told = { tenant: "default", id: true, workflow: "ship" };
  expect(await live()).toEqual([
    { ...told, status: "waiting" },
    { ...told, status: "completed" },
  ]);
  await database.rows("select pawl.notify_runs(false)");
  expect(await live()).toEqual([]);
});
