/** The hot statements find their rows through indexes, and claim no more than they were asked for. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { encode } from "../../src/engine/codec.ts";
import type { Db, Statement } from "../../src/storage/db.ts";
import { createHistory } from "../../src/storage/history.ts";
import { createOverview } from "../../src/storage/overview.ts";
import { createReads } from "../../src/storage/reads.ts";
import { createStore } from "../../src/storage/store.ts";
import { createDatabase, type TestDatabase } from "../support/database.ts";
import { boom, decision, entry, HOUR, LEASE, MINUTE, newRun } from "./support/builders.ts";
import { newBranch, newWait, signal } from "./support/family.ts";
import { openSession, type Session } from "./support/sessions.ts";

const RUNS = 20_000;

let database: TestDatabase;
beforeAll(async () => {
  database = await createDatabase();
  await fill();
});
afterAll(() => database.drop());

/** Nearly all are over; a few hundred sleep, are due, are held or are dead. */
async function fill(): Promise<void> {
  await database.rows(
    `with numbered as (
       select i, lpad(i::text, 8, '0') as id,
         case when i % 100 < 94 then 'completed' when i % 100 < 96 then 'waiting' when i % 100 = 96 then 'ready'
           when i % 100 = 97 then 'running' when i % 100 = 98 then 'dead' else 'cancelled' end as status
       from generate_series(1, $1::int) i
     ), filled as (
       insert into pawl.runs (tenant, id, workflow, version, status, turn, wake_at, wake_up_sent_at, lease_expires_at,
         created_at, finished_at, failure, tags, idempotency_key, input)
       select 'tenant ' || i % 3, id, 'workflow ' || i % 5, 1, status, 3,
         case when status = 'waiting' then now() + i * interval '1 min' when status = 'ready' then now() end,
         case when status = 'ready' or (status = 'waiting' and i < 1440) then now() end,
         case when status = 'running' then now() + interval '1 min' end,
         now() - interval '1 h', case when status in ('completed', 'cancelled', 'dead') then now() end,
         case when status = 'dead' then '{}'::jsonb end, array['tag ' || i % 50], case when i % 2 = 0 then 'key ' || i end,
         jsonb_build_object('order', i)
       from numbered returning tenant, id, tags, status, wake_at
     ), sleeping as (
       insert into pawl.timers (tenant, run_id, key, begun_at, due_at, turn)
       select tenant, id, 'nap ' || n, now(), coalesce(wake_at, now()), 1 from filled, generate_series(1, 5) n
       where status in ('waiting', 'dead', 'ready', 'running')
     ), tagged as (
       insert into pawl.run_tags (tenant, tag, run_id) select tenant, tags[1], id from filled
     )
     insert into pawl.journal (tenant, run_id, seq, kind, key, outcome, attempt, turn, started_at, recorded_at)
     select tenant, id, seq, 'step', 'step ' || seq, 'completed', 1, seq, now(), now()
     from filled, generate_series(1, 3) seq`,
    [RUNS],
  );
  // Every waiting run has branches, waits and deliveries; every tenth run has the one before it for its parent.
  await database.rows(`
    with parked as (select tenant, id, wake_at from pawl.runs where status = 'waiting'), forked as (
      insert into pawl.branches (tenant, run_id, key, asked_at, attempt, spent, turn, lost_turns, wake_at, wake_up_sent_at,
        lease_expires_at, begun_at)
      select tenant, id, 'part ' || n, 3, 1, 0, 1, case when n = 2 then 1 else 0 end, case when n % 2 = 0 then wake_at end,
        case when n % 2 = 0 then now() end, case when n % 2 = 1 then wake_at end, now()
      from parked, generate_series(1, 20) n
    ), waiting as (
      insert into pawl.waits (tenant, run_id, key, kind, name, begun_at, turn)
      select tenant, id, 'wait ' || n, 'signal', 'signal ' || n, now(), 3 from parked, generate_series(1, 10) n
    )
    insert into pawl.deliveries (tenant, run_id, kind, name, outcome, dedupe_id, arrived_at)
    select tenant, id, 'signal', 'signal ' || n, 'completed', n, now()
    from parked, generate_series(1, 20) n`);
  await database.rows(
    "update pawl.branches set wake_at = now() where key = 'part 4' and run_id < '00004000'",
  );
  await database.rows(
    "update pawl.runs set parent_id = lpad((id::int - 1)::text, 8, '0'), parent_key = id where right(id, 1) = '5'",
  );
  await database.rows("update pawl.runs set deliveries = 20 where status in ('waiting', 'ready')");
  // A week of messages that were read and of events that were sent.
  await database.rows(`
    with messages as (
      insert into pawl.messages (tenant, channel, dedupe_id, payload, published_at)
      select 'tenant 1', 'channel ' || n % 5, n, '1', now() - n * interval '20 s' from generate_series(1, 30000) n
    ), events as (
      insert into pawl.outbox (tenant, id, run_id, workflow, type, emitted_at, routed_at)
      select 'tenant 1', n, lpad(n::text, 8, '0'), 'ship', 'order.shipped', now() - n * interval '20 s', now()
      from generate_series(1, 30000) n returning tenant, run_id, seq
    )
    insert into pawl.outbox_sends (tenant, run_id, sink, seq, status, attempts, sent_at)
    select tenant, run_id, 'all', seq, 'sent', 1, now() from events`);
  await database.rows(`vacuum analyze pawl.runs, pawl.run_tags, pawl.journal, pawl.timers, pawl.branches, pawl.waits,
    pawl.deliveries, pawl.messages, pawl.outbox, pawl.outbox_sends`);
}

interface Node {
  readonly "Node Type": string;
  readonly "Relation Name"?: string;
  readonly "Index Name"?: string;
  readonly "Index Cond"?: string;
  readonly Plans?: readonly Node[];
}

const flatten = (node: Node): Node[] => [node, ...(node.Plans ?? []).flatMap(flatten)];

/** The plans of all statements that `work` sends; nothing of it stays. */
async function plansOf(work: (db: Db) => Promise<unknown>, settings = ""): Promise<Node[]> {
  const session = await openSession(database.url, settings);
  const said: Statement[] = [];
  try {
    await session.query("begin");
    await work({
      async execute(statements) {
        said.push(...statements.filter(({ text }) => text !== WAKE_SOME && !text.endsWith("limit 5")));
        const answers = [];
        for (const { text, params } of statements) answers.push(await session.query(text, params));
        return answers;
      },
    });
    const plans: Node[] = [];
    for (const { text, params } of said) {
      const [row] = await session.query<{ "QUERY PLAN": { Plan: Node }[] }>(
        `explain (format json) ${text}`,
        params,
      );
      plans.push(...(row?.["QUERY PLAN"] ?? []).flatMap(({ Plan }) => flatten(Plan)));
    }
    return plans;
  } finally {
    await session.query("rollback");
    await session.end();
  }
}

const id = (i: number) => String(i).padStart(8, "0");
const run = (i: number) => ({ tenant: `tenant ${i % 3}`, runId: id(i) });
const thirty = Array.from({ length: 30 }, (_, i) => run(i * 100 + 96));

const parked = Array.from({ length: 30 }, (_, i) => run(i * 100 + 94));
const branches = (key: string) => parked.map((ref) => ({ ...ref, key }));
const WAKE_SOME = "update pawl.runs set wake_at = now() where status = 'waiting' and id < '00004000'";

describe("with 20,000 runs no table is read as a whole", () => {
  const filter = { workflow: "workflow 1" };
  const KIND = { fingerprint: "0123456789abcdef" };
  test.each<[string, (db: Db) => Promise<unknown>]>([
    ["claimRuns", (db) => createStore(db).claimRuns(thirty, LEASE)],
    ["claimRuns, of known versions", (db) => createStore(db).claimRuns(thirty, LEASE, { "workflow 1": [1] })],
    ["claimSuspect", (db) => createStore(db).claimSuspect(run(96), LEASE)],
    [
      "commitTurns",
      async (db) => {
        const { claimed } = await createStore(db).claimRuns(thirty, LEASE);
        expect(claimed).toHaveLength(30);
        const timers = [{ key: "nap", due: { inMs: HOUR } }];
        await createStore(db).commitTurns(
          claimed.map((one) => decision(one, { entries: [entry(9)], timers })),
        );
        await createStore(db).commitTurns([decision({ ...run(96), turn: 3, deliveries: 0 })]);
      },
    ],
    [
      "startRuns",
      (db) => {
        const runs = Array.from({ length: 30 }, (_, i) =>
          newRun({ tags: ["red"], idempotencyKey: `new ${i}` }),
        );
        return createStore(db).startRuns("tenant 1", runs);
      },
    ],
    ["renewLease", (db) => createStore(db).renewLease(run(97), 3, LEASE)],
    ["reviveRun", (db) => createStore(db).reviveRun(run(98))],
    ["discardRun", (db) => createStore(db).discardRun(run(98))],
    ["reclaimLeases", (db) => createStore(db).reclaimLeases(100, 5)],
    ["collectDueRuns", (db) => createStore(db).collectDueRuns(100, MINUTE, 2 * MINUTE)],
  ])("%s", async (_, work) => expectIndexes(await plansOf(work)));

  test.each<[string, (db: Db) => Promise<unknown>]>([
    [
      "commitTurns with all that it can write",
      async (db) => {
        const store = createStore(db);
        await db.execute([{ text: WAKE_SOME, params: [] }]);
        const { claimed } = await store.claimRuns(parked, LEASE);
        expect(claimed).toHaveLength(parked.length);
        expect(claimed[0]).toMatchObject({
          inbox: { length: 20 },
          waits: { length: 10 },
          branches: { length: 20 },
        });
        const written = claimed.map((one) =>
          decision(one, {
            status: "waiting",
            wakeInMs: HOUR,
            entries: [entry(9)],
            waits: [newWait("signal", "new")],
            endedWaits: ["wait 1"],
            branches: [newBranch("new")],
            endedBranches: ["part 1"],
            consumed: one.inbox.map(({ id }) => ({ id, key: "new" })),
            effects: [
              { kind: "start", run: newRun({ parent: { runId: one.runId, key: "new" } }) },
              { kind: "join", group: "all" },
              { kind: "leave", group: "none" },
              { kind: "hook", key: "hook", digest: one.runId, expiresInMs: HOUR },
              { kind: "append", key: "log", value: encode(1, "x") },
            ],
          }),
        );
        await store.commitTurns(written);
      },
    ],
    [
      "commitTurns of ends that are told",
      async (db) => {
        const children = await db.execute([
          {
            text: "select tenant, id from pawl.runs where parent_id is not null and status = 'waiting' limit 5",
            params: [],
          },
        ]);
        await db.execute([{ text: WAKE_SOME, params: [] }]);
        const refs = (children[0] ?? []).map(({ tenant, id }) => ({
          tenant: String(tenant),
          runId: String(id),
        }));
        const { claimed } = await createStore(db).claimRuns(refs, LEASE);
        expect(claimed.length).toBeGreaterThan(0);
        const ends = claimed.map((one) => decision(one, { status: "completed", parent: one.parent }));
        const successor = newRun({ parent: ends[0]?.parent ?? null });
        await createStore(db).commitTurns(ends.map((end, i) => (i === 0 ? { ...end, successor } : end)));
      },
    ],
    ["claimBranches", (db) => createStore(db).claimBranches(branches("part 4"), LEASE)],
    ["claimSuspectBranch", (db) => createStore(db).claimSuspectBranch({ ...run(94), key: "part 2" }, LEASE)],
    [
      "commitBranches",
      (db) => {
        const nothing = { branchTurn: 1, attempt: 1, output: null, tookMs: 0 };
        const done = { ...nothing, outcome: "completed", failure: null, retryInMs: null } as const;
        const again = { ...nothing, outcome: "retrying", failure: boom, retryInMs: 0 } as const;
        return createStore(db).commitBranches([
          ...branches("part 1").map((branch) => ({ ...branch, ...done })),
          ...branches("part 3").map((branch) => ({ ...branch, ...again })),
        ]);
      },
    ],
    ["renewBranch", (db) => createStore(db).renewBranch({ ...run(94), key: "part 1" }, 1, LEASE)],
    ["startBranch", (db) => createStore(db).startBranch({ ...run(94), key: "part 1" }, 1)],
    ["reclaimBranches", (db) => createStore(db).reclaimBranches(100, 5)],
    ["collectDueBranches", (db) => createStore(db).collectDueBranches(100, MINUTE, 2 * MINUTE)],
    [
      "nextDue",
      (db) =>
        createStore(db).nextDue(["sink 1"], {
          messageRetentionMs: 14 * 24 * HOUR,
          eventRetentionMs: 7 * 24 * HOUR,
        }),
    ],
    [
      "deliverSignals",
      (db) => createStore(db).deliverSignals("tenant 1", [signal(run(94), "signal 1", "9")]),
    ],
    ["deliverWord", (db) => createStore(db).deliverWord(run(94), "wait 1", { outcome: "again" })],
    ["cancelRun", (db) => createStore(db).cancelRun(run(96), false)],
    ["cancelRun with descendants", (db) => createStore(db).cancelRun(run(94), true)],
    ["pauseRun", (db) => createStore(db).pauseRun(run(94))],
    ["resumeRun", (db) => createStore(db).resumeRun(run(94))],
    ["a run", (db) => createReads(db).run(run(1))],
    ["a page of runs", (db) => createReads(db).runs("tenant 1", {}, 50, id(9_000))],
    ["a page by workflow", (db) => createReads(db).runs("tenant 1", filter, 50, id(9_000))],
    ["a page by tag", (db) => createReads(db).runs("tenant 1", { tags: ["tag 7"] }, 50, null)],
    [
      "a page by a tag that nothing has",
      (db) => createReads(db).runs("tenant 1", { tags: ["none"] }, 50, null),
    ],
    ["a page of one kind of dead letters", (db) => createReads(db).deadLetters("tenant 1", KIND, 50, null)],
    ["where runs stand", (db) => createOverview(db).standings("tenant 1", [id(9_000), id(94)])],
    ["a timeline", (db) => createOverview(db).timeline(run(94), 1_000, 0)],
    ["what is under way in a run", (db) => createOverview(db).live(run(94))],
    ["dead letters counted", (db) => createOverview(db).matching("tenant 1", "deadLetters", KIND)],
    ["a run's history", (db) => createHistory(db).list("tenant 1", id(1), 26, null)],
    ["a page by status", (db) => createReads(db).runs("tenant 1", { statuses: ["waiting"] }, 50, null)],
    ["a page of what is ready", (db) => createReads(db).runs("tenant 1", { statuses: ["ready"] }, 50, null)],
    ["the end of a search", (db) => createReads(db).searchEnd("tenant 1", {}, null)],
    [
      "a page by a status that few have",
      (db) => createReads(db).runs("tenant 1", { statuses: ["paused"] }, 50, null),
    ],
    [
      "a page by several statuses",
      (db) => createReads(db).runs("tenant 1", { statuses: ["dead", "running", "paused"] }, 50, null),
    ],
    [
      "a page by a time when nothing was created",
      (db) => createReads(db).runs("tenant 1", { createdAfter: Date.now() + HOUR }, 50, null),
    ],
    ["a page of dead letters", (db) => createReads(db).deadLetters("tenant 1", {}, 50, id(9_000))],
    ["a page of the journal", (db) => createReads(db).journal(run(1), 50, 0)],
    // What flash storage has: with a spinning disk's, reading so small a table as a whole can be cheaper.
  ])("%s", async (_, work) => expectIndexes(await plansOf(work, "set random_page_cost = 1.1")));
});

test.each<[string, string, (db: Db) => Promise<unknown>]>([
  ["runs whose lease is over", "runs_leased", (db) => createStore(db).reclaimLeases(100, 5)],
  ["runs that are due", "runs_parked", (db) => createStore(db).collectDueRuns(100, MINUTE, 2 * MINUTE)],
  [
    "branches that are due",
    "branches_due",
    (db) => createStore(db).collectDueBranches(100, MINUTE, 2 * MINUTE),
  ],
  ["old messages", "messages_by_age", (db) => createStore(db).deleteOldMessages(14 * 24 * HOUR, 100)],
  ["old events", "outbox_by_age", (db) => createStore(db).forgetEvents(100, 7 * 24 * HOUR)],
])("%s are found by their time, without a look at the others", async (_, index, work) => {
  const plans = await plansOf(work, "set random_page_cost = 1.1");
  expectIndexes(plans);
  const searches = plans.filter((node) => node["Index Name"] === index);
  expect(searches.length).toBeGreaterThan(0);
  for (const search of searches) expect(search["Index Cond"]).toMatch(/<=?/);
});

function expectIndexes(plans: readonly Node[]): void {
  const whole = plans.filter((node) => node["Node Type"] === "Seq Scan");
  expect(whole.map((node) => node["Relation Name"])).toEqual([]);
  expect(plans.some((node) => node["Index Name"] !== undefined)).toBe(true);
}

describe("what a claim takes", () => {
  let forced: Session;
  afterAll(() => forced?.end());

  test.each([
    ["no hash joins", "enable_hashjoin"],
    ["no merge joins", "enable_mergejoin"],
    ["no nested loops", "enable_nestloop"],
    ["no index scans", "enable_indexscan"],
    ["no bitmap scans", "enable_bitmapscan"],
    ["no materialising", "enable_material"],
    ["no hash or merge joins", "enable_hashjoin = off; set enable_mergejoin"],
    ["no joins but hash joins", "enable_nestloop = off; set enable_mergejoin"],
  ])("is what was asked for, and a sweep keeps to its limit: %s (C7)", async (_, settings) => {
    forced = await openSession(database.url, `set ${settings} = off`);
    await forced.query("begin");
    await forced.query("delete from pg_statistic");
    const store = createStore({
      execute: async (statements) => {
        const answers = [];
        for (const { text, params } of statements) answers.push(await forced.query(text, params));
        return answers;
      },
    });
    await forced.query("update pawl.runs set lease_expires_at = now() where status = 'running'");
    const { claimed } = await store.claimRuns(thirty.slice(0, 10), LEASE);
    expect(claimed).toHaveLength(10);
    expect(await store.reclaimLeases(10, 5)).toMatchObject({ swept: 10 });
    expect(await store.collectDueRuns(10, -HOUR, HOUR)).toMatchObject({ swept: 10 });
    const [changed] = await forced.query<{ n: number }>(
      "select count(*)::int as n from pawl.runs where turn = 4",
    );
    expect(changed?.n).toBe(20);
    await forced.query("rollback");
    await forced.end();
  });
});
