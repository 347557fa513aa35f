/** One run that everybody writes to: it may keep those waiting who want it, and nobody else. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { encode } from "../../src/engine/codec.ts";
import type { RunRef } from "../../src/engine/run.ts";
import type { Db, Statement } from "../../src/storage/db.ts";
import { createStore } from "../../src/storage/store.ts";
import { useBed } from "../storage/store-suite.ts";
import { postgresStore } from "../storage/support/bed.ts";
import { decision, LEASE, ref } from "../storage/support/builders.ts";
import { newWait, parks, signal } from "../storage/support/family.ts";
import { holding, openSession, type Session, untilBlocked } from "../storage/support/sessions.ts";
import { createDatabase, type TestDatabase } from "../support/database.ts";

const SIGNALS = 1_000;
const CHILDREN = 10_000;
/** As many as the local gateway has connections, less a few for the others. */
const LANES = 6;
const BATCH = 100;

let database: TestDatabase;
let watcher: Session;
const bed = useBed(async () => {
  database = await createDatabase();
  return postgresStore(database);
});
beforeAll(async () => {
  watcher = await openSession(database.url);
});
afterAll(() => watcher.end());

const hold = ({ runId }: RunRef) => ({
  text: "select from pawl.runs where id = $1 for update",
  params: [runId],
});

/** Does all of `works`, a few at a time. */
async function inLanes(works: readonly (() => Promise<unknown>)[]): Promise<void> {
  const queue = [...works];
  const lane = async () => {
    for (let work = queue.shift(); work !== undefined; work = queue.shift()) await work();
  };
  await Promise.all(Array.from({ length: LANES }, lane));
}

/** A run of no relation to any other, from its start to its end, with a signal in between. */
async function liveApart(): Promise<void> {
  const { start, claim, store, see } = bed();
  const run = await start();
  await store.commitTurns([parks(await claim(run), { waits: [newWait("signal", "go")] })]);
  await store.deliverSignals("default", [signal(run, "go")]);
  await store.commitTurns([decision(await claim(run), { status: "completed" })]);
  expect(await see(run)).toMatchObject({ status: "completed" });
}

async function expectNoDeadlock(): Promise<void> {
  const [stats] = await watcher.query<{ deadlocks: string }>(
    "select deadlocks from pg_stat_database where datname = current_database()",
  );
  expect(Number(stats?.deadlocks)).toBe(0);
}

test("of a thousand signals to one run each arrives once and in order, and no other run waits for it (C6)", async () => {
  const { startAndClaim, claim, store, see } = bed();
  const hot = await startAndClaim();
  const waits = [newWait("signal", "go")];
  await store.commitTurns([parks(hot, { waits })]);
  const send = (n: number) => () =>
    store.deliverSignals("default", [
      signal(hot, "go", `signal ${n}`, n),
      signal(hot, "go", `signal ${n}`, n),
    ]);
  const numbers = Array.from({ length: SIGNALS }, (_, n) => n);

  const { sending } = await holding(database, hold(hot), async (letGo) => {
    const sending = inLanes(numbers.map(send));
    await untilBlocked(database, LANES);
    for (let i = 0; i < 10; i++) await liveApart();
    expect(await see(hot)).toMatchObject({ status: "waiting", wakeAt: null });
    await letGo();
    // Whoever is told of a promise waits for it.
    return { sending };
  });

  const taken: { readonly id: number; readonly payload: unknown }[] = [];
  let sent = false;
  let problem: unknown;
  sending.then(
    () => {
      sent = true;
    },
    (error: unknown) => {
      problem = error;
    },
  );
  while (taken.length < SIGNALS) {
    if (problem !== undefined) throw problem;
    const over = sent;
    const { claimed } = await store.claimRuns([ref(hot)], LEASE);
    for (const turn of claimed) {
      taken.push(...turn.inbox.map(({ id, payload }) => ({ id, payload: payload?.json })));
      const consumed = turn.inbox.map(({ id }) => ({ id, key: `go ${id}` }));
      await store.commitTurns([parks(turn, { consumed, endedWaits: ["go"], waits })]);
    }
    if (over) expect(claimed.length, "nothing is left behind").toBeGreaterThan(0);
    await liveApart();
  }
  await sending;
  expect(taken.map(({ payload }) => payload).sort((a, b) => Number(a) - Number(b))).toEqual(numbers);
  expect(taken.map(({ id }) => id)).toEqual(taken.map(({ id }) => id).toSorted((a, b) => a - b));
  expect((await claim(await bed().start())).turn).toBe(1);
  await expectNoDeadlock();
}, 120_000);

/** Children that are due, and the waits of their parent for them. */
async function bear(parent: RunRef, count: number): Promise<RunRef[]> {
  const rows = await database.rows<{ id: string }>(
    `with born as (
       insert into pawl.runs (tenant, id, workflow, version, status, wake_at, created_at, tags, input, parent_id, parent_key)
       select 'default', 'child ' || lpad(n::text, 5, '0'), 'child', 1, 'ready', pawl.clock(), pawl.clock(), '{}', '{}', $1,
         'child ' || n
       from generate_series(1, $2::int) n returning tenant, id, parent_key
     ), awaited as (
       insert into pawl.waits (tenant, run_id, key, kind, name, begun_at, turn)
       select tenant, $1, parent_key, 'child', id, pawl.clock(), 1 from born
     )
     select id from born order by id`,
    [parent.runId, count],
  );
  await database.rows("analyze");
  return rows.map(({ id }) => ({ tenant: "default", runId: id }));
}

/** Of the tables that a run may have many rows of, those that the statements of `work` would read as a whole. */
async function scannedBy(work: (db: Db) => Promise<unknown>): Promise<string[]> {
  const sent: Statement[] = [];
  await work({
    execute: async (statements) => {
      sent.push(...statements);
      return statements.map(() => []);
    },
  });
  const lines: string[] = [];
  for (const { text, params } of sent) {
    const plan = await database.rows<{ "QUERY PLAN": string }>(`explain ${text}`, params);
    lines.push(...plan.map((line) => line["QUERY PLAN"]));
  }
  return lines.flatMap((line) => / Seq Scan on (waits|branches|journal) /.exec(line)?.[1] ?? []);
}

test("beside a run with ten thousand waits, branches and entries, the claim of another reads none of them (C6)", async () => {
  const { start } = bed();
  const parent = await start();
  await bear(parent, CHILDREN);
  await database.rows(
    `insert into pawl.branches (tenant, run_id, key, asked_at, attempt, spent, wake_at, begun_at)
     select 'default', $1, 'part ' || n, 1, 1, 0, pawl.clock(), pawl.clock() from generate_series(1, $2::int) n`,
    [parent.runId, CHILDREN],
  );
  await database.rows(
    `insert into pawl.journal (tenant, run_id, seq, kind, key, outcome, attempt, turn, started_at, recorded_at)
     select 'default', $1, n, 'step', 'step ' || n, 'completed', 1, 1, pawl.clock(), pawl.clock()
     from generate_series(1, $2::int) n`,
    [parent.runId, CHILDREN],
  );
  await database.rows("analyze");
  const other = await start();
  expect(await scannedBy((db) => createStore(db).claimRuns([other], LEASE))).toEqual([]);
});

test("ten thousand children that end tell their parent once each, wake it once, and keep no other run waiting (C6)", async () => {
  const { startAndClaim, store, see } = bed();
  const parent = await startAndClaim();
  await store.commitTurns([parks(parent, { waits: [newWait("signal", "never")] })]);
  const children = await bear(parent, CHILDREN);
  const woken: RunRef[] = [];
  const end = (batch: readonly RunRef[]) => async () => {
    const { claimed } = await store.claimRuns(batch, LEASE);
    expect(claimed).toHaveLength(batch.length);
    const output = encode("done", "x");
    const ended = claimed.map((run) => decision(run, { status: "completed", parent: run.parent, output }));
    const { due } = await store.commitTurns(ended);
    woken.push(...due);
  };
  const batches: (() => Promise<unknown>)[] = [];
  for (let i = 0; i < CHILDREN; i += BATCH) {
    batches.push(end(children.slice(i, i + BATCH)));
    // As the server does by itself, but not as soon: plans that were made for empty tables are forgotten.
    if (i % (10 * BATCH) === 0)
      batches.push(() => database.rows("analyze pawl.runs, pawl.waits, pawl.deliveries"));
  }

  const { ending } = await holding(database, hold(parent), async (letGo) => {
    const ending = inLanes(batches);
    await untilBlocked(database, LANES);
    for (let i = 0; i < 10; i++) await liveApart();
    expect(await see(parent)).toMatchObject({ status: "waiting", wakeAt: null });
    await letGo();
    return { ending };
  });
  for (let i = 0; i < 10; i++) await liveApart();
  await ending;
  expect(woken.map(ref)).toEqual([ref(parent)]);
  const [told] = await database.rows(
    `select count(*)::int as ends, count(distinct name)::int as names from pawl.deliveries where run_id = $1`,
    [parent.runId],
  );
  expect(told).toEqual({ ends: CHILDREN, names: CHILDREN });
  const [left] = await database.rows(
    "select count(*)::int as n from pawl.runs where parent_id = $1 and status <> 'completed'",
    [parent.runId],
  );
  expect(left).toEqual({ n: 0 });
  await expectNoDeadlock();
}, 240_000);
