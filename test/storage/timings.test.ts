import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { BOUNDS_MS, type Phase, type PhaseTimes } from "../../src/engine/timings.ts";
import { createDatabase, type TestDatabase } from "../support/database.ts";

const HOUR = 3_600_000;

let database: TestDatabase;

beforeAll(async () => {
  database = await createDatabase();
});
beforeEach(() => database.rows("truncate pawl.timings, pawl.sweeps"));
afterAll(() => database?.drop());

function timesOf(phase: Phase, turns: number, bucket = 0): PhaseTimes {
  const buckets = [...BOUNDS_MS.map(() => 0), 0].map((none, index) => (index === bucket ? turns : none));
  return { phase, turns, totalMs: turns * 2.5, buckets };
}

test("what isolates measured is added up, phase by phase, in the order of a turn", async () => {
  const { timings } = database;
  await timings.add([timesOf("commit", 2, 3), timesOf("queue", 1)]);
  await timings.add([timesOf("commit", 4, 5)]);
  const read = await timings.read(24);
  expect(read.map(({ phase, turns, totalMs }) => [phase, turns, totalMs])).toEqual([
    ["queue", 1, 2.5],
    ["commit", 6, 15],
  ]);
  expect(read[1]?.buckets.slice(0, 7)).toEqual([0, 0, 0, 2, 0, 4, 0]);
});

test("hours are added up as far as is asked, and forgotten after thirty days", async () => {
  const { timings } = database;
  await timings.add([timesOf("step", 1)]);
  await database.moveClock(5 * HOUR);
  await timings.add([timesOf("step", 10)]);
  expect((await timings.read(24)).map(({ turns }) => turns)).toEqual([11]);
  expect((await timings.read(2)).map(({ turns }) => turns)).toEqual([10]);
  await database.moveClock(31 * 24 * HOUR);
  expect(await timings.read(24)).toEqual([]);
  expect(await database.rows("select from pawl.timings")).toHaveLength(2);
  await timings.add([timesOf("step", 100)]);
  expect(await database.rows("select from pawl.timings")).toHaveLength(1);
});

test("isolates that add at once lose nothing, and wait for no one in a circle", async () => {
  const { timings } = database;
  const forth = ["queue", "claim", "step", "commit"] as const;
  await Promise.all(
    Array.from({ length: 20 }, (_, i) =>
      timings.add((i % 2 === 0 ? forth : forth.toReversed()).map((phase) => timesOf(phase, 1))),
    ),
  );
  expect((await timings.read(24)).map(({ turns }) => turns)).toEqual([20, 20, 20, 20]);
});

test("of each sweep the last time that it ended is kept, and what it came to", async () => {
  const { timings } = database;
  await timings.noteSweeps([
    { name: "wake due runs", ms: 3.5, outcome: "more" },
    { name: "reclaim leases", ms: 2, outcome: "failed" },
  ]);
  await database.moveClock(HOUR);
  await timings.noteSweeps([{ name: "reclaim leases", ms: 1, outcome: "all" }]);
  const sweeps = await timings.sweeps();
  expect(sweeps).toMatchObject([
    { name: "reclaim leases", ms: 1, outcome: "all" },
    { name: "wake due runs", ms: 3.5, outcome: "more" },
  ]);
  expect((sweeps[0]?.at ?? 0) - (sweeps[1]?.at ?? 0)).toBeGreaterThanOrEqual(HOUR);
});

test("isolates that sweep at once wait for no one in a circle", async () => {
  const { timings } = database;
  const forth = ["a", "b", "c"].map((name) => ({ name, ms: 1, outcome: "all" as const }));
  await Promise.all(
    Array.from({ length: 20 }, (_, i) => timings.noteSweeps(i % 2 === 0 ? forth : forth.toReversed())),
  );
  expect((await timings.sweeps()).map(({ name }) => name)).toEqual(["a", "b", "c"]);
});
