/** Trap 2: many starts at once with the same keys. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { createStore } from "../../src/storage/store.ts";
import { createDatabase, type TestDatabase } from "../support/database.ts";
import { newRun } from "./support/builders.ts";
import { openSession, type Session } from "./support/sessions.ts";

let database: TestDatabase;
const sessions: Session[] = [];

beforeAll(async () => {
  database = await createDatabase();
  for (let i = 0; i < 16; i++) sessions.push(await openSession(database.url));
});
afterAll(async () => {
  await Promise.all(sessions.map((session) => session.end()));
  await database.drop();
});

test("4,000 starts at once with 100 keys make 100 runs, and each of them is given an id (H12)", async () => {
  const answers = await Promise.all(
    sessions.map(async (session, s) => {
      const store = createStore(session.db);
      const ids: [string, string | undefined, boolean][] = [];
      for (let i = 0; i < 250; i++) {
        // All sessions are at the same few keys at the same time.
        const key = `key ${Math.floor((i * 100) / 250 + (s % 4)) % 100}`;
        const [started] = await store.startRuns("default", [newRun({ idempotencyKey: key, tags: ["red"] })]);
        ids.push([key, started?.run.runId, started?.created ?? false]);
      }
      return ids;
    }),
  );
  const all = answers.flat();
  expect(all).toHaveLength(4_000);
  expect(all.filter(([, id]) => id === undefined)).toEqual([]);
  const byKey = new Map<string, Set<string | undefined>>();
  for (const [key, id] of all) byKey.set(key, (byKey.get(key) ?? new Set()).add(id));
  expect([...byKey.values()].map((ids) => ids.size)).toEqual(Array.from({ length: 100 }, () => 1));
  expect(all.filter(([, , created]) => created)).toHaveLength(100);
  expect(await database.rows("select from pawl.runs")).toHaveLength(100);
  expect(await database.rows("select from pawl.run_tags")).toHaveLength(100);
});

test("batches at once that share some of their keys start each key once (H12)", async () => {
  const starts = await Promise.all(
    sessions.map((session, s) =>
      createStore(session.db).startRuns(
        "default",
        Array.from({ length: 50 }, (_, i) => newRun({ idempotencyKey: `batch ${(i * 7 + s * 11) % 120}` })),
      ),
    ),
  );
  const all = starts.flat();
  expect(all).toHaveLength(16 * 50);
  const keys = new Set(all.map(({ run }) => run.idempotencyKey));
  expect(new Set(all.map(({ run }) => run.runId)).size).toBe(keys.size);
  expect(all.filter(({ created }) => created)).toHaveLength(keys.size);
});
