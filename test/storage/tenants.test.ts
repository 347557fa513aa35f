/** Every statement that the storage sends names the tenant, so that row-level security can come later. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { encode } from "../../src/engine/codec.ts";
import type { Store } from "../../src/engine/ports.ts";
import { createBulks } from "../../src/storage/bulks.ts";
import type { Db, Statement } from "../../src/storage/db.ts";
import { createHistory } from "../../src/storage/history.ts";
import { createOverview } from "../../src/storage/overview.ts";
import { createReads } from "../../src/storage/reads.ts";
import { createStore } from "../../src/storage/store.ts";
import { createDatabase, type TestDatabase } from "../support/database.ts";
import { boom, decision, entry, HOUR, LEASE, MINUTE, newRun, only } from "./support/builders.ts";

/** They belong to the deployment: `/healthz` and the cron's own note. */
const OF_THE_DEPLOYMENT = new Set(["recordTick", "recordIdle", "health"]);
/** They look for due work over all tenants; from there on every row goes by its tenant. */
const OVER_ALL_TENANTS = new Set([
  "reclaimLeases",
  "collectDueRuns",
  "reclaimBranches",
  "collectDueBranches",
  "matchMessages",
]);

/** How long a question may take is said before it, of no table. */
const LIMIT = "select set_config('statement_timeout', $1, true)";

/** Verbs whose statements the tests of their own files look at. */
const ELSEWHERE = new Set(
  `subscribe unsubscribe publish matchMessages deleteOldMessages channels
   signalGroup groupMembers receiveHook state
   forkRun forkSource underWay
   routeEvents claimSends settleSends redeliverEvent forgetEvents events event`.split(/\s+/),
);

let database: TestDatabase;
beforeAll(async () => {
  database = await createDatabase();
});
afterAll(() => database.drop());

/** The statements of each verb, each verb called at least once. */
async function record(): Promise<Map<string, Statement[]>> {
  const said = new Map<string, Statement[]>();
  let verb = "";
  const db: Db = {
    execute(statements) {
      said.set(verb, [...(said.get(verb) ?? []), ...statements.filter(({ text }) => text !== LIMIT)]);
      return database.db.execute(statements);
    },
  };
  const listen = <T extends object>(port: T): T =>
    new Proxy(port, {
      get(target, name, receiver) {
        verb = String(name);
        return Reflect.get(target, name, receiver);
      },
    });
  const [store, reads] = [listen(createStore(db)), listen(createReads(db))];
  const { run } = only(await store.startRuns("default", [newRun({ tags: ["red"] })]));
  const first = only((await store.claimRuns([run], LEASE)).claimed);
  await store.renewLease(run, 1, LEASE);
  await store.readJournal(run, { turn: 1 }, 0);
  await store.readDelivery(run, 1);
  const same = decision(first, { entries: [entry(1)], timers: [{ key: "nap", due: { inMs: 0 } }] });
  await store.commitTurns([same]);
  await store.commitTurns([same]);
  await store.claimRuns([run], LEASE);
  await database.moveClock(LEASE);
  await store.reclaimLeases(10, 5);
  await database.moveClock(MINUTE);
  await store.collectDueRuns(10, 0, HOUR);
  const again = only((await store.claimSuspect(run, LEASE)).claimed);
  await store.commitTurns([decision(again, { status: "dead" })]);
  await store.discardRun(run);
  await store.reviveRun(run);
  await recordFamily(store);
  await store.cancelRun(run, false);
  await store.recordTick(null);
  await store.recordIdle(HOUR);
  await store.nextDue(["sink"], { messageRetentionMs: HOUR, eventRetentionMs: HOUR });
  await reads.run(run);
  const input = { path: ["order"], value: "7" };
  const filter = {
    workflow: "ship",
    statuses: ["ready" as const],
    tags: ["red"],
    createdAfter: 0,
    createdBefore: 1,
    input,
  };
  await reads.runs("default", filter, 10, "0");
  await reads.runs("default", {}, 10, null);
  await reads.deadLetters("default", filter, 10, "0");
  await reads.searchEnd("default", filter, "0");
  await reads.journal(run, 10, 0);
  await reads.health();
  return said;
}

/** Everything that a commit can write besides the journal, and what the children and branches do then. */
async function recordFamily(store: Store): Promise<void> {
  const [parent, child] = [newRun(), newRun()];
  const ref = { tenant: "default", runId: parent.id };
  const branch = { ...ref, key: "apart" };
  await store.startRuns("default", [parent]);
  const turn = only((await store.claimRuns([ref], LEASE)).claimed);
  const its = { key: "child", runId: parent.id };
  await store.commitTurns([
    decision(turn, {
      status: "waiting",
      wakeInMs: null,
      waits: [
        { key: "child", kind: "child", name: child.id, due: null },
        { key: "paid", kind: "signal", name: "paid", due: { inMs: HOUR } },
        { key: "asked", kind: "person", name: "asked", due: null },
      ],
      branches: [{ key: "apart", askedAt: 0, attempt: 1, spent: 0, due: null }],
      effects: [
        { kind: "start", run: { ...child, parent: its } },
        { kind: "hook", key: "hook", digest: parent.id, expiresInMs: HOUR },
        { kind: "join", group: "all" },
        { kind: "leave", group: "none" },
        { kind: "set", key: "phase", value: encode("begun", "x") },
        { kind: "append", key: "log", value: encode("begun", "x") },
      ],
    }),
  ]);
  await store.pauseRun(ref);
  await store.resumeRun(ref);
  const claimed = only((await store.claimBranches([branch], LEASE)).claimed);
  await store.renewBranch(branch, 1, LEASE);
  await store.startBranch(branch, 1);
  const given = { attempt: 1, output: null, failure: null, retryInMs: 0, tookMs: 0 };
  await store.commitBranches([{ ...branch, ...given, branchTurn: 1, outcome: "retrying", failure: boom }]);
  await store.claimSuspectBranch(branch, LEASE);
  await store.collectDueBranches(10, -HOUR, HOUR);
  await store.reclaimBranches(10, 5);
  await store.commitBranches([{ ...branch, ...given, branchTurn: claimed.branchTurn, outcome: "completed" }]);
  await store.deliverWord(ref, "asked", { outcome: "again" });
  await store.deliverSignals("default", [
    { runId: parent.id, name: "paid", payload: encode(1, "x"), id: null },
  ]);
  await store.appendSteps(ref, { key: "m", gate: "gate", name: "graph", request: {}, known: 0 });
  await store.mutations(ref);
  const born = only((await store.claimRuns([{ ...ref, runId: child.id }], LEASE)).claimed);
  const successor = newRun({ parent: its, continuedFrom: child.id });
  await store.commitTurns([decision(born, { status: "completed", parent: its, successor })]);
  const later = only((await store.claimRuns([{ ...ref, runId: successor.id }], LEASE)).claimed);
  await store.commitTurns([decision(later, { status: "completed", parent: its })]);
  const again = only((await store.claimRuns([ref], LEASE)).claimed);
  const consumed = again.inbox.map(({ id }) => ({ id, key: "paid" }));
  const over = { endedWaits: ["paid"], endedBranches: ["apart"], consumed };
  await store.commitTurns([decision(again, over)]);
  await store.cancelRun(ref, true);
}

interface Use {
  readonly table: string;
  readonly alias: string | undefined;
}

/** The tables with a tenant that a statement (without its quotes) reads or changes. */
function tablesRead(text: string): Use[] {
  const use =
    /\b(?:from|join|update|using)\s+(pawl\.(?!committed|clock|ticks|migrations)\w+)(?:\s+(?!set|where|for|on|order|limit|using|join|cross)(\w+))?/g;
  return [...text.matchAll(use)].map(([, table = "", alias]) => ({ table, alias }));
}

/** True when some condition of the statement compares the tenant of that table. */
function namesTenant(text: string, { table, alias }: Use): boolean {
  const names = alias === undefined ? ["tenant", `${table}.tenant`] : [`${alias}.tenant`];
  return names.some((name) => new RegExp(`(?<![\\w.])${name} = |= ${name}(?![\\w.])`).test(text));
}

test("every statement of every verb names the tenant of every table that it touches", async () => {
  const said = await record();
  const verbs = [...Object.keys(createStore(database.db)), ...Object.keys(createReads(database.db))];
  expect(verbs.filter((verb) => !said.has(verb) && !ELSEWHERE.has(verb))).toEqual([]);
  for (const [verb, statements] of said) {
    for (const text of statements.map((statement) => statement.text.replaceAll('"', ""))) {
      const inserts = text.match(/insert into pawl\.(?!ticks)\w+ (?:as \w+ )?\(tenant, /g) ?? [];
      expect(text.match(/insert into pawl\.(?!ticks)/g) ?? []).toHaveLength(inserts.length);
      const uses = tablesRead(text);
      const unnamed = uses.filter((use) => !namesTenant(text, use));
      const allowed = OVER_ALL_TENANTS.has(verb) ? SEARCHED : [];
      expect([verb, text, unnamed.filter(({ table }) => !allowed.includes(table))]).toEqual([verb, text, []]);
      const its = uses.length + inserts.length + (text.includes("pawl.committed()") ? 1 : 0);
      expect([verb, text, its > 0]).toEqual([verb, text, !OF_THE_DEPLOYMENT.has(verb)]);
    }
  }
});

test("every question over many runs, and every bulk action, names the tenant of every table that it touches", async () => {
  const said: Statement[] = [];
  const db: Db = {
    execute(statements) {
      said.push(...statements.filter(({ text }) => text !== LIMIT));
      return database.db.execute(statements);
    },
  };
  const [overview, history, bulks] = [createOverview(db), createHistory(db), createBulks(db)];
  const ref = { tenant: "default", runId: "nobody" };
  const filter = {
    workflow: "ship",
    statuses: ["failed" as const],
    tags: ["red"],
    fingerprint: "0123456789abcdef",
  };
  await overview.countRuns("default", { tags: ["red"], input: { path: ["a"], value: "1" } });
  await overview.standings("default", ["nobody"]);
  await overview.timeline(ref, 10, 0);
  await overview.live(ref);
  await overview.matching("default", "runs", { statuses: ["failed", "dead"] });
  await overview.matching("default", "deadLetters", filter);
  await overview.deadLetterGroups("default", filter);
  await overview.workflowStats("default", HOUR);
  await overview.waits("default", { kind: "hook", name: "x" }, 10, { runId: "nobody", key: "x" });
  await overview.awaitedNames("default");
  await overview.system("default");
  await overview.stuckRuns("default", 10);
  await overview.metrics("default", HOUR, MINUTE, "ship");
  await history.add({ ...ref, verb: "note", by: "admin", note: "x" });
  await history.list("default", "nobody", 10, 7);
  const { bulk } = await bulks.start("default", {
    ...{
      id: "b",
      verb: "cancel",
      source: { kind: "ids", ids: ["nobody"] },
      asked: null,
      compensate: false,
      rate: 1,
    },
    ...{ note: null, by: "admin", matching: { count: 1, exact: true }, idempotencyKey: "k" },
  });
  const claimed = only(await bulks.claim(1, LEASE));
  await bulks.advance(claimed, { cursor: null, done: [], skipped: 0, failures: [], nextInMs: null });
  await bulks.find("default", bulk.id);
  await bulks.list("default", 10, "z");
  await bulks.abort("default", bulk.id);
  for (const text of said.map((statement) => statement.text.replaceAll('"', ""))) {
    // Of the deployment: what the catalogue says of its tables.
    if (text.includes("from pg_class")) continue;
    const inserts = text.match(/insert into pawl\.\w+ (?:as \w+ )?\(tenant, /g) ?? [];
    expect([text, text.match(/insert into pawl\./g) ?? []]).toEqual([
      text,
      expect.objectContaining({ length: inserts.length }),
    ]);
    const unnamed = tablesRead(text).filter((use) => !namesTenant(text, use));
    // What is due is looked for over all tenants; from there on every row goes by its tenant.
    const allowed = text.includes("for update skip locked") ? ["pawl.bulk_actions"] : [];
    expect([text, unnamed.filter(({ table }) => !allowed.includes(table))]).toEqual([text, []]);
    expect([text, tablesRead(text).length + inserts.length > 0]).toEqual([text, true]);
  }
});

/** Where the sweeps go over all tenants. */
const SEARCHED = ["pawl.runs", "pawl.branches"];

test("what users send is bound, never part of a statement", async () => {
  const said = await record();
  const before = new Set([...said.values()].flat().map(({ text }) => text));
  const reads = createReads({
    async execute(statements) {
      for (const { text } of statements) expect([LIMIT, ...before]).toContain(text);
      return statements.map(() => []);
    },
  });
  const odd = "'; drop table pawl.runs; --";
  const filter = {
    workflow: odd,
    statuses: ["ready" as const],
    tags: [odd],
    createdAfter: 5,
    createdBefore: 6,
    input: { path: [odd], value: odd },
  };
  await reads.runs(odd, filter, 3, odd);
  await reads.deadLetters(odd, filter, 3, odd);
  await reads.searchEnd(odd, filter, odd);
  await reads.run({ tenant: odd, runId: odd });
  await reads.journal({ tenant: odd, runId: odd }, 3, 4);
});

test("no statement asks with like, a regular expression or an offset", async () => {
  for (const { text } of [...(await record()).values()].flat()) {
    expect(text).not.toMatch(/\b(i?like|similar to|offset)\b|[^|]~/i);
  }
});
