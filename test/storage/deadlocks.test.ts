/** I11 under load: every verb at once, on the same few runs. */
import { DatabaseError } from "pg";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { ClaimedRun, RunRef } from "../../src/engine/run.ts";
import { createStore } from "../../src/storage/store.ts";
import { createDatabase, type TestDatabase } from "../support/database.ts";
import { diceOf } from "../support/random.ts";
import { DELIVER } from "./support/bed.ts";
import { decision, entry, HOUR, LEASE, newRun } from "./support/builders.ts";
import { openSession, type Session } from "./support/sessions.ts";

const SESSIONS = 16;
const OPERATIONS = 120;
const RUNS = 50;

let database: TestDatabase;
const sessions: Session[] = [];

beforeAll(async () => {
  database = await createDatabase();
  for (let i = 0; i < SESSIONS; i++) sessions.push(await openSession(database.url));
});
afterAll(async () => {
  await Promise.all(sessions.map((session) => session.end()));
  await database.drop();
});

test("16 sessions do everything to the same 50 runs, and none of them is ever in a deadlock (C5)", async () => {
  const asked = Array.from({ length: RUNS }, (_, i) =>
    newRun({ id: `run ${String(i).padStart(2, "0")}`, idempotencyKey: `key ${(i * 17) % RUNS}` }),
  );
  await database.store.startRuns("default", asked);
  const refs: RunRef[] = asked.map(({ id }) => ({ tenant: "default", runId: id }));
  const held: ClaimedRun[] = [];
  const done = new Map<string, number>();
  const count = (what: string, n = 1) => done.set(what, (done.get(what) ?? 0) + n);
  const broken: [verb: string, error: unknown][] = [];
  const committed: [runId: string, seq: number][] = [];

  const work = async (session: Session, seed: number) => {
    const store = createStore(session.db);
    const roll = diceOf(seed + 1);
    const some = <T>(items: readonly T[], n: number) =>
      Array.from({ length: n }, () => items[roll(items.length)]).filter((item) => item !== undefined);
    const operations: Record<string, () => Promise<void>> = {
      claim: async () => {
        const { claimed, suspects } = await store.claimRuns(some(refs, 30), LEASE);
        held.push(...claimed);
        count("claimed", claimed.length);
        for (const suspect of suspects.slice(0, 3))
          held.push(...(await store.claimSuspect(suspect, LEASE)).claimed);
      },
      commit: async () => {
        const turns = held.splice(0, 20 + roll(20)).sort(() => roll(3) - 1);
        // Zombies are among them, also beside a later turn of their run.
        const distinct = new Map(turns.map((run) => [`${run.runId} ${run.turn}`, run]));
        const decisions = [...distinct.values()].map((run) => {
          const seq = run.journal.length + 1;
          const status = (["ready", "ready", "waiting", "failed", "dead"] as const)[roll(5)] ?? "ready";
          const timers = status === "waiting" ? [{ key: `nap ${seq}`, due: { inMs: 0 } }] : [];
          return decision(run, { status, entries: [entry(seq)], timers });
        });
        for (const { runId } of (await store.commitTurns(decisions)).turns) {
          const turns = decisions.filter((one) => one.runId === runId).sort((a, b) => a.turn - b.turn);
          committed.push([runId, turns.at(-1)?.entries[0]?.seq ?? 0]);
          count("committed");
        }
      },
      cancel: async () => {
        const [run] = some(refs.slice(0, 5), 1);
        if (run !== undefined && (await store.cancelRun(run, false)).result === "moved") count("cancelled");
      },
      reclaim: async () => {
        await session.query(
          "update pawl.runs set lease_expires_at = now() where id = $1 and status = 'running'",
          [some(refs, 1)[0]?.runId],
        );
        count("reclaimed", (await store.reclaimLeases(20, 4)).swept);
      },
      collect: async () => {
        count("collected", (await store.collectDueRuns(20, 0, HOUR)).swept);
      },
      revive: async () => {
        for (const run of some(refs, 6))
          if ((await store.reviveRun(run)).result === "revived") count("revived");
      },
      renew: async () => {
        const [run] = some(held, 1);
        if (run !== undefined && (await store.renewLease(run, run.turn, LEASE))) count("renewed");
      },
      discard: async () => {
        for (const run of some(refs, 3))
          if ((await store.discardRun(run)) === "discarded") count("discarded");
      },
      deliver: async () => {
        const [run] = some(refs, 1);
        await session.query(DELIVER, [run?.tenant, run?.runId]);
        count("delivered");
      },
      "start again": async () => {
        const again = some(asked, 10).map((run) => ({ ...run, id: `${run.id} ${seed} ${roll(1e9)}` }));
        const distinct = [...new Map(again.map((run) => [run.idempotencyKey, run])).values()];
        count("found", (await store.startRuns("default", distinct)).filter(({ created }) => !created).length);
      },
    };
    const often = ["claim", "claim", "commit", "commit", "commit", ...Object.keys(operations)];
    for (let i = 0; i < OPERATIONS; i++) {
      const name = often[roll(often.length)] ?? "claim";
      await operations[name]?.().catch((error: unknown) => broken.push([name, error]));
    }
  };
  await Promise.all(sessions.map(work));

  // Postgres' own word for a deadlock is 40P01; no verb may fail for any other reason either.
  expect(broken.map(([name, error]) => [name, error, error instanceof DatabaseError && error.code])).toEqual(
    [],
  );
  const [server] = await database.rows<{ deadlocks: number }>(
    "select deadlocks::int from pg_stat_database where datname = current_database()",
  );
  expect(server?.deadlocks).toBe(0);
  // A test in which nothing happened would pass as well.
  for (const what of [
    "claimed",
    "committed",
    "cancelled",
    "reclaimed",
    "collected",
    "revived",
    "renewed",
    "discarded",
    "delivered",
    "found",
  ]) {
    expect([what, done.get(what) ?? 0]).toEqual([what, expect.toSatisfy((n: number) => n >= 3)]);
  }
  expect(done.get("committed")).toBeGreaterThan(100);

  expect(await database.rows("select * from pawl.stuck_runs")).toEqual([]);
  const journaled = await database.rows<{ run_id: string; seq: number }>(
    "select run_id, seq from pawl.journal where kind = 'step'",
  );
  const kept = new Set(journaled.map(({ run_id, seq }) => `${run_id}/${seq}`));
  expect(committed.filter(([runId, seq]) => !kept.has(`${runId}/${seq}`))).toEqual([]);
  expect(journaled).toHaveLength(committed.length);
  const backwards = await database.rows(`select * from (
    select run_id, seq, turn, lag(turn) over (partition by run_id order by seq) as before from pawl.journal) j
    where turn < before`);
  expect(backwards).toEqual([]);
});
