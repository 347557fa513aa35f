/** Every statement that the storage sends names the tenant, so that row-level security can come later. */
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Db, Statement } from "../../src/storage/db.ts";
import { createReads } from "../../src/storage/reads.ts";
import { createStore } from "../../src/storage/store.ts";
import { createDatabase, type TestDatabase } from "../support/database.ts";
import { decision, entry, HOUR, LEASE, MINUTE, newRun, only } from "./support/builders.ts";

/** They belong to the deployment: `/healthz` and the cron's own note. */
const OF_THE_DEPLOYMENT = new Set(["recordTick", "health"]);
/** They look for due work over all tenants; from there on every row goes by its tenant. */
const OVER_ALL_TENANTS = new Set(["reclaimLeases", "collectDueRuns"]);

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
      said.set(verb, [...(said.get(verb) ?? []), ...statements]);
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
  await store.cancelRun(run);
  await store.recordTick();
  await reads.run(run);
  const input = { path: ["order"], value: "7" };
  const filter = {
    workflow: "ship",
    statuses: ["ready" as const],
    tag: "red",
    createdAfter: 0,
    createdBefore: 1,
    input,
  };
  await reads.runs("default", filter, 10, "0");
  await reads.runs("default", {}, 10, null);
  await reads.deadLetters("default", filter, 10, "0");
  await reads.journal(run, 10, 0);
  await reads.health();
  return said;
}

interface Use {
  readonly table: string;
  readonly alias: string | undefined;
}

/** The tables with a tenant that a statement (without its quotes) reads or changes. */
function tablesRead(text: string): Use[] {
  const use =
    /\b(?:from|join|update|using)\s+(pawl\.(?:runs|run_tags|journal|timers))(?:\s+(?!set|where|for|on|order|limit|using|join|cross)(\w+))?/g;
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
  expect([...said.keys()].sort()).toEqual(verbs.sort());
  for (const [verb, statements] of said) {
    for (const text of statements.map((statement) => statement.text.replaceAll('"', ""))) {
      const inserts = text.match(/insert into pawl\.(?!ticks)\w+ \(tenant, /g) ?? [];
      expect(text.match(/insert into pawl\.(?!ticks)/g) ?? []).toHaveLength(inserts.length);
      const uses = tablesRead(text);
      const unnamed = uses.filter((use) => !namesTenant(text, use));
      expect([verb, text, unnamed]).toEqual([verb, text, OVER_ALL_TENANTS.has(verb) ? [SEARCH] : []]);
      expect([verb, uses.length + inserts.length > 0]).toEqual([verb, !OF_THE_DEPLOYMENT.has(verb)]);
    }
  }
});

/** The one place where a sweep goes over all tenants. */
const SEARCH: Use = { table: "pawl.runs", alias: undefined };

test("what users send is bound, never part of a statement", async () => {
  const said = await record();
  const before = new Set([...said.values()].flat().map(({ text }) => text));
  const reads = createReads({
    async execute(statements) {
      for (const { text } of statements) expect(before).toContain(text);
      return statements.map(() => []);
    },
  });
  const odd = "'; drop table pawl.runs; --";
  const filter = {
    workflow: odd,
    statuses: ["ready" as const],
    tag: odd,
    createdAfter: 5,
    createdBefore: 6,
    input: { path: [odd], value: odd },
  };
  await reads.runs(odd, filter, 3, odd);
  await reads.deadLetters(odd, filter, 3, odd);
  await reads.run({ tenant: odd, runId: odd });
  await reads.journal({ tenant: odd, runId: odd }, 3, 4);
});

test("no statement asks with like, a regular expression or an offset", async () => {
  for (const { text } of [...(await record()).values()].flat()) {
    expect(text).not.toMatch(/\b(i?like|similar to|offset)\b|[^|]~/i);
  }
});
