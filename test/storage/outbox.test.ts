/** The outbox on a real Postgres: what is sent when, in which order, how often, and what is forgotten. */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import type { ClaimedSend, Route, SendOutcome } from "../../src/engine/event.ts";
import type { ClaimedRun } from "../../src/engine/run.ts";
import type { Db } from "../../src/storage/db.ts";
import { createReads } from "../../src/storage/reads.ts";
import { createStore } from "../../src/storage/store.ts";
import { createDatabase, type TestDatabase } from "../support/database.ts";
import { DAY, decision, LEASE, newRun, only } from "./support/builders.ts";
import { openSession, whileHeld } from "./support/sessions.ts";

const MINUTE = 60_000;
const ALL: Route = { sink: "all", types: ["*"] };

let database: TestDatabase;
let n: number;
beforeAll(async () => {
  database = await createDatabase();
});
beforeEach(() => {
  n = 0;
});
afterEach(async () => {
  await database.rows("truncate pawl.runs, pawl.journal, pawl.outbox, pawl.outbox_sends");
});
afterAll(() => database.drop());

const store = () => database.store;

async function claimed(tenant = "default"): Promise<ClaimedRun> {
  const { run } = only(await store().startRuns(tenant, [newRun()]));
  return only((await store().claimRuns([run], LEASE)).claimed);
}

/** A turn of the run emits an event of each type; gives the run's next turn. */
async function emit(run: ClaimedRun, ...types: string[]): Promise<ClaimedRun> {
  const effects = types.map((type) => {
    n += 1;
    const event = { id: `${run.runId}/${n}`, type, subject: null, data: { json: n, meta: null } };
    return { kind: "emit" as const, event };
  });
  await store().commitTurns([decision(run, { effects })]);
  return only((await store().claimRuns([run], LEASE)).claimed);
}

const route = (...routes: Route[]) => store().routeEvents(routes.length === 0 ? [ALL] : routes, 1_000);
const claim = (sink = "all", limit = 100) => store().claimSends(sink, limit, MINUTE);
const numbers = (sends: readonly ClaimedSend[]) => sends.map(({ event }) => event.data);

function settle(sends: readonly ClaimedSend[], fields: Partial<SendOutcome> = {}): Promise<void> {
  return store().settleSends(
    sends.map(({ event: _, ...ref }) => ({
      ...ref,
      status: "sent",
      retryInMs: null,
      error: null,
      ...fields,
    })),
  );
}

describe("routing", () => {
  test("an event is not on its way before an earlier one of its run that somebody else routes", async () => {
    const run = await emit(await claimed(), "first");
    const routing = `with o as (update pawl.outbox set routed_at = now() returning *)
      insert into pawl.outbox_sends (tenant, run_id, sink, seq, next_at) select tenant, run_id, 'all', seq, now() from o`;
    const [routed] = await whileHeld(database, { text: routing, params: [] }, [
      async () => {
        await emit(run, "second");
        return route();
      },
    ]);
    expect(routed).toBe(1);
    expect(numbers(await claim())).toEqual([1]);
  });
});

describe("claims", () => {
  test("side by side they share what is due", async () => {
    for (let i = 0; i < 30; i++) await emit(await claimed(), "a");
    await route();
    const shares = await Promise.all(Array.from({ length: 5 }, () => claim("all", 10)));
    const ids = shares.flat().map(({ event }) => event.id);
    expect(new Set(ids).size).toBe(ids.length);
    expect([...ids, ...(await claim()).map(({ event }) => event.id)]).toHaveLength(30);
  });

  test("an event carries what its envelope needs, also once its run is forgotten", async () => {
    const run = await claimed("somebody");
    const event = { id: "1", type: "a", subject: "s", data: { json: null, meta: null } };
    const bare = { id: "2", type: "b", subject: null, data: null };
    await store().commitTurns([
      decision(run, { effects: [event, bare].map((each) => ({ kind: "emit" as const, event: each })) }),
    ]);
    await database.rows("delete from pawl.runs");
    await route();
    const [first] = await claim();
    const { tenant, runId } = run;
    const emittedAt = expect.any(Number);
    expect(first?.event).toEqual({
      tenant,
      runId,
      id: "1",
      workflow: "ship",
      type: "a",
      subject: "s",
      data: null,
      emittedAt,
    });
    await settle(first === undefined ? [] : [first]);
    expect(only(await claim()).event).toMatchObject({ subject: null, data: undefined });
  });
});

describe("with 20,000 events no table is read as a whole", () => {
  const FILL = `
    with numbered as (
      select i, 'run ' || i / 4 as run, case when i % 100 < 96 then 'sent' when i % 100 < 98 then 'pending' else 'dead' end as status
      from generate_series(1, 20000) i
    ), events as (
      insert into pawl.outbox (tenant, id, run_id, workflow, type, emitted_at, routed_at)
      select 'tenant ' || i % 3, 'event ' || i, run, 'ship', 'a', now() - (20000 - i) * interval '1 min',
        case when i < 19990 then now() end
      from numbered order by i returning tenant, seq, run_id, id
    )
    insert into pawl.outbox_sends (tenant, run_id, sink, seq, status, next_at, sent_at)
    select e.tenant, e.run_id, 'sink ' || s, e.seq, n.status, case n.status when 'pending' then now() + s * interval '1 min' end,
      case n.status when 'sent' then now() end
    from events e join numbered n on 'event ' || n.i = e.id cross join generate_series(1, 2) s`;

  test.each<[string, (db: Db) => Promise<unknown>]>([
    ["routeEvents", (db) => createStore(db).routeEvents([ALL], 10)],
    ["claimSends", (db) => createStore(db).claimSends("sink 1", 6, MINUTE)],
    [
      "settleSends",
      (db) => {
        const ref = { tenant: "tenant 1", runId: "run 7", sink: "sink 1", seq: 30, attempt: 1 };
        return createStore(db).settleSends([{ ...ref, status: "pending", retryInMs: 1, error: "no" }]);
      },
    ],
    ["redeliverEvent", (db) => createStore(db).redeliverEvent("tenant 1", "event 7")],
    ["forgetEvents", (db) => createStore(db).forgetEvents(100, DAY)],
    ["a page", (db) => createReads(db).events("tenant 1", {}, 25, 9_000)],
    ["a page of dead ones", (db) => createReads(db).events("tenant 1", { status: "dead" }, 25, null)],
    ["a page of a run's", (db) => createReads(db).events("tenant 1", { run: "run 7" }, 25, null)],
    ["an event", (db) => createReads(db).event("tenant 1", "event 7")],
  ])("%s", async (_, work) => {
    const session = await openSession(database.url, "set random_page_cost = 1.1");
    try {
      await session.query("begin");
      await session.query(FILL);
      await session.query("analyze pawl.outbox, pawl.outbox_sends");
      const plans: string[] = [];
      await work({
        async execute(statements) {
          const answers = [];
          for (const { text, params } of statements) {
            plans.push(JSON.stringify(await session.query(`explain (format json) ${text}`, params)));
            answers.push(await session.query(text, params));
          }
          return answers;
        },
      });
      expect(plans.join()).not.toMatch(/"Seq Scan"/);
      expect(plans.join()).toMatch(/"Index Name"/);
    } finally {
      await session.query("rollback");
      await session.end();
    }
  });
});
