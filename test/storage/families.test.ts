/** I11 under load: every verb at once, on the same family of runs with its branches, waits and signals. */
import { DatabaseError } from "pg";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Effect } from "../../src/engine/effect.ts";
import type { ClaimedBranch, ClaimedRun, RunRef } from "../../src/engine/run.ts";
import { createStore } from "../../src/storage/store.ts";
import { createDatabase, type TestDatabase } from "../support/database.ts";
import { diceOf } from "../support/random.ts";
import { boom, decision, HOUR, LEASE, newRun } from "./support/builders.ts";
import { newBranch, newWait, outcome, signal } from "./support/family.ts";
import { openSession, type Session } from "./support/sessions.ts";

const SESSIONS = 8;
const OPERATIONS = 150;
const FAMILIES = 4;
const KEYS = ["a", "b", "c", "d", "e"];

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

/** As with ULIDs, who is born later sorts later. */
const idOf = (i: number) => `run ${String(i).padStart(6, "0")}`;

test("8 sessions do everything to the same families, and none of them is ever in a deadlock (C5)", async () => {
  const roots = Array.from({ length: FAMILIES }, (_, i) => newRun({ id: idOf(i) }));
  await database.store.startRuns("default", roots);
  const refs: RunRef[] = roots.map(({ id }) => ({ tenant: "default", runId: id }));
  const held: ClaimedRun[] = [];
  const performed: ClaimedBranch[] = [];
  const done = new Map<string, number>();
  const count = (what: string, n = 1) => done.set(what, (done.get(what) ?? 0) + n);
  const broken: [verb: string, code: unknown, error: unknown][] = [];
  let born = FAMILIES;

  const work = async (session: Session, seed: number) => {
    const store = createStore(session.db);
    const roll = diceOf(seed + 1);
    const some = <T>(items: readonly T[], n: number) =>
      Array.from({ length: n }, () => items[roll(items.length)]).filter((item) => item !== undefined);
    /** Takes what arrived, and branches out, waits or ends. */
    const decide = (run: ClaimedRun) => {
      const consumed = run.inbox.map(({ id, kind, name }) => ({
        id,
        key: kind === "signal" ? `took ${id}` : name,
      }));
      const taken = new Set(run.inbox.map(({ name }) => name));
      const endedWaits = run.waits.map(({ key }) => key).filter((key) => taken.has(key));
      const left = { consumed, endedWaits, verdict: run.verdict, parent: run.parent };
      const fate = roll(12);
      const live = run.branches.filter(({ key }) => !taken.has(key));
      if (run.verdict !== null) return decision(run, { ...left, status: run.verdict.status });
      if (fate === 0) return decision(run, { ...left, status: "completed" });
      if (fate === 1) return decision(run, { ...left, status: "failed" });
      if (fate === 2) return decision(run, { ...left, status: "dead" });
      if (fate === 3) return decision(run, left);
      const branches = some(KEYS, 3).filter((key) => !live.some((branch) => branch.key === key));
      const distinct = [...new Set(branches)].map((key) => newBranch(key));
      const key = `child ${run.turn}`;
      const child = newRun({ id: idOf(++born), parent: { runId: run.runId, key } });
      const hasChild = born < 200 && roll(2) === 0;
      const signals = run.waits.some((wait) => wait.key === "paid" && !taken.has("paid"));
      const waits = [
        ...(hasChild ? [newWait("child", child.id, { key })] : []),
        ...(signals ? [] : [newWait("signal", "paid")]),
      ];
      const effects: Effect[] = hasChild ? [{ kind: "start", run: child }] : [];
      if (hasChild) refs.push({ tenant: "default", runId: child.id });
      const endedBranches = live.filter(() => roll(5) === 0).map((branch) => branch.key);
      const more = { waits, effects, branches: distinct, endedBranches };
      return decision(run, { ...left, ...more, status: "waiting", wakeInMs: null });
    };
    const branchRefs = (n: number) =>
      some(refs, n).flatMap((run) => some(KEYS, 2).map((key) => ({ ...run, key })));
    const operations: Record<string, () => Promise<void>> = {
      claim: async () => {
        const { claimed, suspects } = await store.claimRuns(some(refs, 30), LEASE);
        held.push(...claimed);
        count("claimed", claimed.length);
        for (const suspect of suspects.slice(0, 3))
          held.push(...(await store.claimSuspect(suspect, LEASE)).claimed);
      },
      commit: async () => {
        const turns = new Map(held.splice(0, 5 + roll(10)).map((run) => [`${run.runId} ${run.turn}`, run]));
        const decisions = [...turns.values()].sort(() => roll(3) - 1).map(decide);
        const { turns: committed } = await store.commitTurns(decisions);
        count("committed", committed.length);
        if (roll(4) === 0) await store.commitTurns(decisions);
      },
      "claim branches": async () => {
        const { claimed, suspects } = await store.claimBranches(branchRefs(20), LEASE);
        performed.push(...claimed);
        count("branches claimed", claimed.length);
        for (const suspect of suspects.slice(0, 3))
          performed.push(...(await store.claimSuspectBranch(suspect, LEASE)).claimed);
      },
      "commit branches": async () => {
        const outcomes = performed.splice(0, 10 + roll(10)).map((branch) => {
          const how = (["completed", "completed", "failed", "retrying", "retrying", "dead"] as const)[
            roll(6)
          ];
          const failure = how === "completed" ? null : boom;
          return outcome(branch, {
            outcome: how ?? "completed",
            failure,
            retryInMs: how === "retrying" ? 0 : null,
          });
        });
        await store.commitBranches(outcomes.sort(() => roll(3) - 1));
        count("delivered", outcomes.length);
      },
      signal: async () => {
        const signals = some(refs, 10).map((run) =>
          signal(run, "paid", roll(2) === 0 ? String(roll(50)) : null),
        );
        const { sent } = await store.deliverSignals("default", signals);
        count("signalled", sent.filter(({ result }) => result === "accepted").length);
      },
      cancel: async () => {
        const [run] = some(refs.slice(FAMILIES), 1);
        if (run !== undefined && (await store.cancelRun(run, roll(2) === 0)).result === "moved")
          count("cancelled");
      },
      pause: async () => {
        const [run] = some(refs, 1);
        if (run !== undefined && (await store.pauseRun(run)).result === "moved") count("paused");
      },
      resume: async () => {
        for (const run of some(refs, 5))
          if ((await store.resumeRun(run)).result === "moved") count("resumed");
      },
      reclaim: async () => {
        const expire = `update pawl.runs set lease_expires_at = now() where lease_expires_at is not null and id in
          (select id from pawl.runs where lease_expires_at is not null order by random() limit 1)`;
        for (let i = 0; i < 3; i++) await session.query(expire);
        count("reclaimed", (await store.reclaimLeases(20, 2)).swept);
      },
      "reclaim branches": async () => {
        // One row at a time: what is broken here on purpose must not wait for two.
        const expire = `update pawl.branches set lease_expires_at = now() where wake_at is null and (run_id, key) in
          (select run_id, key from pawl.branches where wake_at is null order by random() limit 1)`;
        for (let i = 0; i < 5; i++) await session.query(expire);
        count("branches reclaimed", (await store.reclaimBranches(20, 2)).swept);
      },
      collect: async () => {
        count("collected", (await store.collectDueRuns(20, 0, HOUR)).swept);
        count("collected", (await store.collectDueBranches(20, 0, HOUR)).swept);
      },
      revive: async () => {
        for (const run of some(refs, 10))
          if ((await store.reviveRun(run)).result === "revived") count("revived");
      },
    };
    const often = ["claim", "claim", "commit", "commit", "claim branches", "commit branches", "signal"];
    const names = [...often, ...often, ...Object.keys(operations)];
    for (let i = 0; i < OPERATIONS; i++) {
      const name = names[roll(names.length)] ?? "claim";
      await operations[name]?.().catch((error: unknown) =>
        broken.push([name, error instanceof DatabaseError && error.code, error]),
      );
    }
  };
  await Promise.all(sessions.map(work));

  expect(broken).toEqual([]);
  const [server] = await database.rows<{ deadlocks: number }>(
    "select deadlocks::int from pg_stat_database where datname = current_database()",
  );
  expect(server?.deadlocks).toBe(0);
  expect(await database.rows("select * from pawl.stuck_runs")).toEqual([]);
  // A test in which nothing happened would pass as well.
  const kinds = [
    "claimed",
    "committed",
    "branches claimed",
    "delivered",
    "signalled",
    "cancelled",
    "paused",
    "resumed",
  ];
  for (const what of [...kinds, "reclaimed", "branches reclaimed", "collected", "revived"]) {
    expect([what, done.get(what) ?? 0]).toEqual([what, expect.toSatisfy((n: number) => n >= 1)]);
  }
});
