import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { createDatabase, type TestDatabase } from "../support/database.ts";
import { type Ledger, startLedger } from "../support/ledger.ts";
import { startWorker, type TestWorker } from "../support/worker.ts";

let database: TestDatabase;
let ledger: Ledger;
let worker: TestWorker;

beforeAll(async () => {
  database = await createDatabase();
  ledger = await startLedger();
  worker = await startWorker({
    entry: "test/worker/fixture/index.ts",
    databaseUrl: database.url,
    gateway: database.gateway,
    vars: { LEDGER_URL: ledger.url },
  });
});
afterEach(async () => {
  expect(await database.rows("select * from pawl.stuck_runs")).toEqual([]);
});
afterAll(async () => {
  await worker?.stop();
  await ledger?.stop();
  await database?.drop();
});

test("a run of five steps completes, each step in an invocation of its own", async () => {
  const started = await worker.post("/api/workflows/count/runs", { input: { steps: 5 } });
  console.log(JSON.stringify(started));
  const { id } = started.body as { id: string };
  const result = await worker.get(`/api/runs/${id}/result?wait=20s`);
  console.log(JSON.stringify(result), ledger.effects);
  console.log(JSON.stringify(await worker.get(`/api/runs/${id}/journal`)));
  expect(result.status).toBe(200);
  expect(new Set(ledger.of(id).map((effect) => effect.invocation)).size).toBe(5);
});
