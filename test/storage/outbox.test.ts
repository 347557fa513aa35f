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
const again = (sends: readonly ClaimedSend[], retryInMs: number) =>
  settle(sends, { status: "pending", retryInMs, error: "no" });

const sends = () =>
  database.rows("select sink, status, attempts, last_error from pawl.outbox_sends order by sink, seq");

describe("routing", () => {
  test("an event goes to every sink that wants its type, and once", async () => {
    await emit(
      await claimed(),
      "order.paid",
      "order.shipped",
      "invoice.paid",
      "orders",
      "order_paid",
      "ORDER.PAID",
    );
    const routes = [
      ALL,
      { sink: "one", types: ["order.paid"] },
      { sink: "two", types: ["order.*", "invoice.paid"] },
      { sink: "odd", types: ["order_*", "%.paid"] },
    ];
    expect(await route(...routes)).toBe(6);
    expect(await route(...routes)).toBe(0);
    const rows = await database.rows<{ sink: string; types: string[] }>(
      `select s.sink, array_agg(o.type order by o.seq) as types from pawl.outbox_sends s
       join pawl.outbox o on o.tenant = s.tenant and o.seq = s.seq group by s.sink order by s.sink`,
    );
    expect(rows).toEqual([
      {
        sink: "all",
        types: ["order.paid", "order.shipped", "invoice.paid", "orders", "order_paid", "ORDER.PAID"],
      },
      { sink: "odd", types: ["order_paid"] },
      { sink: "one", types: ["order.paid"] },
      { sink: "two", types: ["order.paid", "order.shipped", "invoice.paid"] },
    ]);
  });

  test("a sink that is configured later gets nothing old", async () => {
    const run = await emit(await claimed(), "old");
    await store().routeEvents([], 100);
    await emit(run, "new");
    await route();
    expect((await claim()).map(({ event }) => event.type)).toEqual(["new"]);
  });

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

describe("order", () => {
  test("the events of one turn are sent in the order in which they were emitted, one after the other", async () => {
    await emit(await claimed(), ...Array.from({ length: 20 }, () => "step"));
    await route();
    const order: unknown[] = [];
    for (let sent = await claim(); sent.length > 0; sent = await claim()) {
      expect(sent).toHaveLength(1);
      order.push(...numbers(sent));
      await settle(sent);
    }
    expect(order).toEqual(Array.from({ length: 20 }, (_, i) => i + 1));
  });

  test("a later event waits until the earlier one is sent, however often that is tried again", async () => {
    await emit(await claimed(), "a", "b");
    await route();
    for (let attempt = 1; attempt <= 3; attempt++) {
      const first = await claim();
      expect(numbers(first)).toEqual([1]);
      expect(first[0]?.attempt).toBe(attempt);
      await again(first, 1_000);
      expect(await claim()).toEqual([]);
      await database.moveClock(1_001);
    }
    await settle(await claim());
    expect(numbers(await claim())).toEqual([2]);
  });

  test("a dead event no longer holds up those after it", async () => {
    await emit(await claimed(), "a", "b");
    await route();
    await settle(await claim(), { status: "dead", error: "gone" });
    expect(numbers(await claim())).toEqual([2]);
  });

  test("runs and sinks do not wait for each other", async () => {
    await emit(await claimed(), "a");
    await emit(await claimed(), "a");
    await route(ALL, { sink: "other", types: ["a"] });
    await again(await claim("all", 1), MINUTE);
    expect(numbers(await claim("all"))).toEqual([2]);
    expect(numbers(await claim("other"))).toEqual([1, 2]);
  });
});

describe("claims", () => {
  test("what is being sent is not sent by another at the same time, and comes again when that one is lost", async () => {
    await emit(await claimed(), "a");
    await route();
    const lost = await claim();
    expect(await claim()).toEqual([]);
    await database.moveClock(MINUTE + 1);
    const found = await claim();
    expect(found).toMatchObject([{ attempt: 2 }]);
    // The first one was only slow. What it says now is about a try that nobody counts on any more.
    await settle(lost, { status: "dead", error: "late" });
    expect(await sends()).toEqual([{ sink: "all", status: "pending", attempts: 2, last_error: null }]);
    await settle(found);
    expect(await sends()).toMatchObject([{ status: "sent" }]);
  });

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

test("I2: a turn that has moved on emits nothing", async () => {
  const run = await claimed();
  await store().cancelRun(run, false);
  const event = { id: "1", type: "a", subject: null, data: null };
  await store().commitTurns([decision(run, { effects: [{ kind: "emit", event }] })]);
  expect(await database.rows("select * from pawl.outbox")).toEqual([]);
});

describe("what people do", () => {
  test("a dead event is sent again with all its tries", async () => {
    const run = await claimed();
    await emit(run, "a");
    await route();
    const id = `${run.runId}/1`;
    expect(await store().redeliverEvent("default", id)).toBe("not_dead");
    await settle(await claim(), { status: "dead", error: "gone" });
    expect(await store().redeliverEvent("somebody", id)).toBe("not_found");
    expect(await store().redeliverEvent("default", id)).toBe("redelivered");
    expect(await claim()).toMatchObject([{ attempt: 1 }]);
  });

  test("lists are newest first, by pages, and filter by run and by what became of the event", async () => {
    const [one, two] = [await claimed(), await claimed()];
    await emit(one, "a");
    await emit(two, "b");
    await emit(await claimed("somebody"), "c");
    await route();
    await settle((await claim()).slice(0, 1), { status: "dead", error: "gone" });
    await emit(await claimed(), "d");
    const list = async (filter = {}, limit = 10, before: number | null = null) =>
      (await database.reads.events("default", filter, limit, before)).map(({ type }) => type);
    expect(await list()).toEqual(["d", "b", "a"]);
    expect(await list({ run: two.runId })).toEqual(["b"]);
    expect(await list({ status: "dead" })).toEqual(["a"]);
    expect(await list({ status: "pending" })).toEqual(["d", "b"]);
    expect(await list({ status: "sent" })).toEqual([]);
    const [first] = await database.reads.events("default", {}, 1, null);
    expect(await list({}, 10, first?.seq)).toEqual(["b", "a"]);
    expect(await database.reads.event("default", `${one.runId}/1`)).toMatchObject({
      type: "a",
      runId: one.runId,
      sends: [{ sink: "all", status: "dead", attempts: 1, lastError: "gone", nextAt: null, sentAt: null }],
    });
    expect(await database.reads.event("somebody", `${one.runId}/1`)).toBeNull();
  });

  test("what was sent everywhere is forgotten once it is old; what is dead or on its way stays", async () => {
    for (let i = 0; i < 3; i++) await emit(await claimed(), "a");
    await route();
    const [sent, dead] = await claim("all", 2);
    await settle(sent === undefined ? [] : [sent]);
    await settle(dead === undefined ? [] : [dead], { status: "dead", error: "gone" });
    expect(await store().forgetEvents(100, 7 * DAY)).toBe(0);
    await database.moveClock(7 * DAY + 1);
    await emit(await claimed(), "new");
    expect(await store().forgetEvents(100, 7 * DAY)).toBe(1);
    expect(await database.rows("select data from pawl.outbox order by seq")).toEqual([
      { data: 2 },
      { data: 3 },
      { data: 4 },
    ]);
    expect(await sends()).toMatchObject([{ status: "dead" }, { status: "pending" }]);
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
