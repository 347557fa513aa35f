/**
 * Two sessions in one place, interleaved for real: one holds a row or stands between its snapshot and its
 * first row, the other one acts. Traps 1 and 2 of the architecture, I2, I4 and I11.
 */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { BranchOutcome } from "../../src/engine/branch.ts";
import type { Effect } from "../../src/engine/effect.ts";
import type { DueRun, Store } from "../../src/engine/ports.ts";
import type { ClaimedRun } from "../../src/engine/run.ts";
import { createStore } from "../../src/storage/store.ts";
import { createDatabase, type TestDatabase } from "../support/database.ts";
import { useBed } from "./store-suite.ts";
import { DELIVER, postgresStore } from "./support/bed.ts";
import { boom, DAY, decision, entry, HOUR, LEASE, newRun, only, ref } from "./support/builders.ts";
import { claimBranch, forked, newBranch, newWait, outcome, parks, signal } from "./support/family.ts";
import {
  holding,
  openSession,
  type Session,
  untilBlocked,
  whileClockIsHeld,
  whileHeld,
} from "./support/sessions.ts";

let database: TestDatabase;
let session: Session;
/** Fails when it has to wait. */
let impatient: Session;
const bed = useBed(async () => {
  database = await createDatabase();
  return postgresStore(database);
});
/** Passes a held clock, as `bed().store` does not. */
const aside = () => createStore(session.db);

beforeAll(async () => {
  session = await openSession(database.url);
  impatient = await openSession(database.url, "set lock_timeout = '1s'");
});
afterAll(async () => {
  await session.end();
  await impatient.end();
});

const hold = (...ids: string[]) => ({
  text: "select from pawl.runs where id = any ($1) for update",
  params: [ids],
});

describe("a claim that raced with a whole turn", () => {
  test("brings the entries of that turn", async () => {
    const { startAndClaim, store, journaled } = bed();
    const run = await startAndClaim();
    await store.commitTurns([decision(run, { entries: [entry(1)] })]);
    const late = await whileClockIsHeld(
      database,
      () => store.claimRuns([run], LEASE),
      async () => {
        const turn = only((await aside().claimRuns([run], LEASE)).claimed);
        await aside().commitTurns([decision(turn, { entries: [entry(2)] })]);
      },
    );
    const claimed = only(late.claimed);
    expect(claimed.turn).toBe(3);
    expect(claimed.journal.map(({ key }) => key)).toEqual(await journaled(run));
    expect(claimed.journal).toHaveLength(2);
  });

  test("brings the timers and the deliveries of that turn", async () => {
    const { start, store, deliver } = bed();
    const run = await start();
    const { claimed } = await whileClockIsHeld(
      database,
      () => store.claimRuns([run], LEASE),
      async () => {
        const turn = only((await aside().claimRuns([run], LEASE)).claimed);
        await deliver(run);
        await aside().commitTurns([decision(turn, { timers: [{ key: "nap", due: { inMs: HOUR } }] })]);
      },
    );
    expect(claimed).toMatchObject([{ deliveries: 1, timers: [{ key: "nap" }] }]);
  });

  test.each(["completed", "waiting"] as const)("takes nothing when the turn left it %s", async (status) => {
    const { start, store, see } = bed();
    const run = await start();
    const late = await whileClockIsHeld(
      database,
      () => store.claimRuns([run], LEASE),
      async () => {
        const turn = only((await aside().claimRuns([run], LEASE)).claimed);
        const wakeInMs = status === "waiting" ? HOUR : null;
        await aside().commitTurns([decision(turn, { status, wakeInMs })]);
      },
    );
    expect(late.claimed).toEqual([]);
    expect(await see(run)).toMatchObject({ status, turn: 1 });
  });

  test("takes nothing when the turn is still under way", async () => {
    const { start, store } = bed();
    const run = await start();
    const late = await whileClockIsHeld(
      database,
      () => store.claimRuns([run], LEASE),
      () => aside().claimRuns([run], LEASE),
    );
    expect(late).toEqual({ claimed: [], suspects: [] });
  });
});

describe("a claim waits for a delivery that holds its run", () => {
  test("and brings what was delivered, which asked for no wake-up of its own", async () => {
    const { start, store } = bed();
    const run = await start();
    const [told, batch] = await whileHeld<unknown>(database, hold(run.runId), [
      () => aside().deliverSignals("default", [signal(run, "paid")]),
      () => store.claimRuns([run], LEASE),
    ]);
    expect(told).toEqual({ sent: [{ runId: run.runId, result: "accepted" }], due: [] });
    expect(batch).toMatchObject({ claimed: [{ deliveries: 1, inbox: [{ name: "paid" }] }] });
  });

  test("and takes that run and its neighbours", async () => {
    const { start, store } = bed();
    const [held, free] = [await start(), await start()];
    const [batch] = await whileHeld(database, hold(held.runId), [() => store.claimRuns([held, free], LEASE)]);
    expect(batch?.claimed.map(({ runId }) => runId).sort()).toEqual([held.runId, free.runId].sort());
  });
});

describe("nobody else waits for a row that another session holds", () => {
  const store = () => createStore(impatient.db);

  test("the sweeps leave it for the next time", async () => {
    const { start, startAndClaim, moveClock } = bed();
    const [held, expired] = [await start(), await startAndClaim()];
    await moveClock(HOUR);
    await holding(database, hold(held.runId, expired.runId), async () => {
      expect(await store().collectDueRuns(10, 0, 0)).toEqual({ due: [], swept: 0 });
      expect(await store().reclaimLeases(10, 5)).toEqual({ due: [], swept: 0 });
    });
    expect(await store().collectDueRuns(10, 0, 0)).toMatchObject({ swept: 1 });
    expect(await store().reclaimLeases(10, 5)).toMatchObject({ swept: 1 });
  });

  test("a start whose keys have runs already", async () => {
    const asked = newRun({ idempotencyKey: "once" });
    await store().startRuns("default", [asked]);
    await holding(database, hold(asked.id), async () => {
      const again = await store().startRuns("default", [{ ...asked, id: "another" }]);
      expect(again).toMatchObject([{ created: false, run: { runId: asked.id } }]);
    });
  });
});

describe("I4: a delivery that commits while the commit of the turn waits for it", () => {
  test.each(["waiting", "ready"] as const)("leaves the run ready and due now: %s (F2)", async (status) => {
    const { startAndClaim, see, claim } = bed();
    const run = await startAndClaim();
    const [committed] = await whileHeld(database, { text: DELIVER, params: [run.tenant, run.runId] }, [
      () => bed().commit([decision(run, { status, wakeInMs: DAY, entries: [entry(1)] })]),
    ]);
    expect(committed).toEqual([{ ...ref(run), status: "ready", wakeInMs: 0 }]);
    expect(await see(run)).toMatchObject({ status: "ready", stepsDone: 1 });
    expect(await claim(run)).toMatchObject({ deliveries: 1 });
  });

  test("wakes a run that was parked an instant before (F1)", async () => {
    const { startAndClaim, store, claim } = bed();
    const run = await startAndClaim();
    const [, delivered] = await whileHeld<unknown>(database, hold(run.runId), [
      () => store.commitTurns([decision(run, { status: "waiting", wakeInMs: DAY })]),
      () => session.query(DELIVER, [run.tenant, run.runId]),
    ]);
    expect(delivered).toEqual([]);
    expect(await claim(run)).toMatchObject({ deliveries: 1 });
  });
});

describe("I4: whatever is delivered while a turn parks its run, in either order", () => {
  type Deliver = (store: Store) => Promise<readonly DueRun[]>;
  type Bring = (run: ClaimedRun) => Promise<Deliver>;
  const bringers: readonly [string, Bring][] = [
    [
      "a signal",
      async (run) => async (store) => (await store.deliverSignals("default", [signal(run, "paid")])).due,
    ],
    [
      "a person's word",
      async (run) => async (store) => (await store.deliverWord(run, "asked", { outcome: "again" })).due,
    ],
    [
      "the outcome of a branch",
      async (run) => {
        const branch = await claimBranch(bed(), run, "apart");
        return (store) => store.commitBranches([outcome(branch)]);
      },
    ],
    [
      "the death of a branch",
      async (run) => {
        await claimBranch(bed(), run, "apart");
        await database.rows("update pawl.branches set lease_expires_at = now()");
        return async (store) => (await store.reclaimBranches(10, 1)).due;
      },
    ],
    [
      "the end of a child",
      async (run) => {
        const [row] = await database.rows<{ id: string }>("select id from pawl.runs where parent_id = $1", [
          run.runId,
        ]);
        const child = await bed().claim({ ...ref(run), runId: row?.id ?? "" });
        return async (store) =>
          (await store.commitTurns([decision(child, { status: "completed", parent: child.parent })])).due;
      },
    ],
    [
      "the cancel of a child",
      async (run) => {
        const [row] = await database.rows<{ id: string }>("select id from pawl.runs where parent_id = $1", [
          run.runId,
        ]);
        return async (store) => (await store.cancelRun({ ...ref(run), runId: row?.id ?? "" }, false)).due;
      },
    ],
  ];

  /** A run in its second turn, which has a branch and a child and has asked a person. */
  const busy = async () => {
    const { startAndClaim, store, claim } = bed();
    const run = await startAndClaim();
    const child = newRun({ parent: { runId: run.runId, key: "child" } });
    const waits = [
      newWait("child", child.id, { key: "child" }),
      newWait("person", "asked"),
      newWait("signal", "paid"),
    ];
    const effects: Effect[] = [{ kind: "start", run: child }];
    await store.commitTurns([decision(run, { waits, effects, branches: [newBranch("apart")] })]);
    return claim(run);
  };

  test.each(bringers)("%s before the park leaves the run ready (F1)", async (name, bring) => {
    const run = await busy();
    const deliver = await bring(run);
    const order = [() => deliver(aside()), async () => (await bed().store.commitTurns([parks(run)])).due];
    // A sweep leaves what another session holds.
    const [told, parked] = name.includes("death")
      ? [await order[0]?.(), await order[1]?.()]
      : await whileHeld(database, hold(run.runId), order);
    expect([told, parked]).toEqual([[], [{ ...ref(run), wakeInMs: 0 }]]);
    expect((await bed().claim(run)).inbox).toHaveLength(1);
  });

  test.each(bringers)("%s after the park wakes the run (F1)", async (name, bring) => {
    const run = await busy();
    const deliver = await bring(run);
    const order = [async () => (await bed().store.commitTurns([parks(run)])).due, () => deliver(aside())];
    const [parked, told] = name.includes("death")
      ? [await order[0]?.(), await order[1]?.()]
      : await whileHeld(database, hold(run.runId), order);
    expect([parked, told]).toEqual([[], [{ ...ref(run), wakeInMs: 0 }]]);
    expect((await bed().claim(run)).inbox).toHaveLength(1);
  });

  test("a signal that comes between the claim and the wait for it is found by the commit that begins the wait (F2)", async () => {
    const run = await bed().startAndClaim();
    await bed().store.commitTurns([decision(run)]);
    await aside().deliverSignals("default", [signal(run, "paid")]);
    const second = await bed().claim(run);
    const { due } = await bed().store.commitTurns([parks(second, { waits: [newWait("signal", "paid")] })]);
    expect(due).toEqual([{ ...ref(run), wakeInMs: 0 }]);
  });

  test("of two deliveries that wait for each other one asks for the wake-up", async () => {
    const run = await busy();
    await bed().store.commitTurns([parks(run)]);
    const answers = await whileHeld(database, hold(run.runId), [
      () => aside().deliverSignals("default", [signal(run, "paid")]),
      () => bed().store.deliverSignals("default", [signal(run, "other")]),
    ]);
    expect(answers.flatMap(({ due }) => due)).toEqual([{ ...ref(run), wakeInMs: 0 }]);
  });
});

describe("I2: a turn that moves on while its write waits for the row", () => {
  const moveOn = [
    [
      "a cancel",
      "update pawl.runs set status = 'cancelled', turn = turn + 1, lease_expires_at = null, finished_at = now() where id = $1",
    ],
    [
      "a reclaim",
      "update pawl.runs set status = 'ready', turn = turn + 1, lease_expires_at = null, wake_at = now() where id = $1",
    ],
    ["another claim", "update pawl.runs set turn = turn + 2 where id = $1"],
  ] as const;

  test.each(moveOn)("writes nothing after %s", async (_, text) => {
    const { startAndClaim, store, see, journaled, timers } = bed();
    const run = await startAndClaim();
    const full = { entries: [entry(1)], timers: [{ key: "nap", due: { inMs: HOUR } }] };
    const held = { text, params: [run.runId] };
    const answers = await whileHeld<unknown>(database, held, [
      () => bed().commit([decision(run, full)]),
      () => store.renewLease(run, run.turn, DAY),
    ]);
    expect(answers).toEqual([[], false]);
    expect([await journaled(run), await timers(run)]).toEqual([[], []]);
    expect((await see(run)).turn).toBeGreaterThan(run.turn);
    expect((await see(run)).leaseExpiresAt ?? 0).toBeLessThan(run.now + HOUR);
  });

  test("a lease that is renewed under a sweep's hands is not taken back", async () => {
    const { startAndClaim, store, see } = bed();
    const run = await startAndClaim();
    await database.rows("update pawl.runs set lease_expires_at = now() - interval '1 s'");
    const sweep = await whileClockIsHeld(
      database,
      () => store.reclaimLeases(10, 5),
      () => aside().renewLease(run, run.turn, LEASE),
    );
    expect(sweep).toEqual({ due: [], swept: 0 });
    expect(await see(run)).toMatchObject({ status: "running", turn: 1, lostTurns: 0 });
  });

  test("a run that is claimed under a sweep's hands is not woken", async () => {
    const { start, store } = bed();
    const run = await start();
    await database.rows("update pawl.runs set wake_at = now() - interval '1 h', wake_up_sent_at = null");
    const sweep = await whileClockIsHeld(
      database,
      () => store.collectDueRuns(10, 0, 0),
      () => aside().claimRuns([run], LEASE),
    );
    expect(sweep).toEqual({ due: [], swept: 0 });
  });
});

describe("a cancel that waits for a commit", () => {
  test("takes the timers of that commit along", async () => {
    const { startAndClaim, store, timers, journaled, see } = bed();
    const run = await startAndClaim();
    const sleeps = {
      status: "waiting",
      wakeInMs: HOUR,
      timers: [{ key: "nap", due: { inMs: HOUR } }],
    } as const;
    const [, answer] = await whileHeld<unknown>(database, hold(run.runId), [
      () => store.commitTurns([decision(run, { ...sleeps, entries: [entry(1)] })]),
      () => store.cancelRun(run, false),
    ]);
    expect(answer).toEqual({ result: "moved", due: [] });
    expect(await see(run)).toMatchObject({ status: "cancelled", turn: 2 });
    expect([await journaled(run), await timers(run)]).toEqual([["step 1"], []]);
  });

  test("says what the commit made of the run", async () => {
    const { startAndClaim, store, see } = bed();
    const run = await startAndClaim();
    const [, answer] = await whileHeld<unknown>(database, hold(run.runId), [
      () => store.commitTurns([decision(run, { status: "completed" })]),
      () => store.cancelRun(run, false),
    ]);
    expect(answer).toEqual({ result: "completed", due: [] });
    expect(await see(run)).toMatchObject({ status: "completed", turn: 1 });
  });
});

test("a revive that waits for another one finds the run ready and adds nothing", async () => {
  const { startAndClaim, store, journaled } = bed();
  const run = await startAndClaim();
  await store.commitTurns([decision(run, { status: "dead" })]);
  const answers = await whileHeld(database, hold(run.runId), [
    () => store.reviveRun(run),
    () => aside().reviveRun(run),
  ]);
  expect(answers.map(({ result }) => result)).toEqual(["revived", "ready"]);
  expect(await journaled(run)).toEqual([null]);
});

test("a revive counts the entries that were written while it waited", async () => {
  const { startAndClaim, store, reads } = bed();
  const run = await startAndClaim();
  const [, answer] = await whileHeld<unknown>(database, hold(run.runId), [
    () => aside().commitTurns([decision(run, { status: "failed", entries: [entry(1), entry(2)] })]),
    () => store.reviveRun(run),
  ]);
  expect(answer).toMatchObject({ result: "revived" });
  expect((await reads.journal(run, 10, 0))?.map(({ seq }) => seq)).toEqual([1, 2, 3]);
});

test("whoever is ended to resolve a deadlock tries again, and both come through (C4)", async () => {
  const { start, store } = bed();
  const [a, b] = [await start({ id: "a" }), await start({ id: "b" })];
  const patient = await openSession(database.url, "set deadlock_timeout = '1min'");
  await patient.query("begin");
  await patient.query(hold(b.runId).text, hold(b.runId).params);
  const signals = store.deliverSignals("default", [signal(a, "again"), signal(b, "again")]);
  await untilBlocked(database, 1);
  // It waits for what the signals hold, which wait for what it holds.
  await patient.query(hold(a.runId).text, hold(a.runId).params);
  await patient.query("commit");
  expect(await signals).toMatchObject({ sent: [{ result: "accepted" }, { result: "accepted" }] });
  const [server] = await database.rows<{ deadlocks: number }>(
    "select deadlocks::int from pg_stat_database where datname = current_database()",
  );
  // The second try may be quicker than whoever waited, and meet it in the same way.
  expect(server?.deadlocks).toBeGreaterThanOrEqual(1);
  await patient.end();
});

describe("I11: a statement locks its runs in ascending order", () => {
  /** Ids of the runs that no session holds. */
  const unlocked = async () =>
    (await session.query<{ id: string }>("select id from pawl.runs order by id for update skip locked")).map(
      ({ id }) => id,
    );

  const JOINS = [
    ["nested loops", "set enable_hashjoin = off; set enable_mergejoin = off"],
    ["hash joins", "set enable_nestloop = off; set enable_mergejoin = off"],
    ["merge joins", "set enable_nestloop = off; set enable_hashjoin = off"],
  ] as const;

  test.each(JOINS)("a commit that waits for its first run holds no other: %s", async (_, settings) => {
    const { startAndClaim } = bed();
    const runs = [];
    for (const id of ["c", "a", "d", "b"]) runs.push(await startAndClaim({ id }));
    const forced = await openSession(database.url, settings);
    const decisions = runs.toReversed().map((run) => decision(run));
    const [committed] = await whileHeld(
      database,
      hold("a"),
      [() => createStore(forced.db).commitTurns(decisions)],
      async () => expect(await unlocked()).toEqual(["b", "c", "d"]),
    );
    expect(committed?.turns).toHaveLength(4);
    await forced.end();
  });

  test.each(JOINS)(
    "branches' outcomes that wait for their first run hold no other: %s",
    async (_, settings) => {
      const outcomes: BranchOutcome[] = [];
      for (const id of ["c", "a", "d", "b"]) {
        const run = await forked(bed(), ["x"], {}, { id });
        outcomes.push(outcome(await claimBranch(bed(), run, "x")));
      }
      const forced = await openSession(database.url, settings);
      const [due] = await whileHeld(
        database,
        hold("a"),
        [() => createStore(forced.db).commitBranches(outcomes.toReversed())],
        async () => expect(await unlocked()).toEqual(["b", "c", "d"]),
      );
      expect(due).toHaveLength(4);
      await forced.end();
    },
  );

  test("an attempt of a branch that failed waits for its run before it takes the branch", async () => {
    const run = await forked(bed(), ["a"]);
    const failed = outcome(await claimBranch(bed(), run, "a"), {
      outcome: "retrying",
      failure: boom,
      retryInMs: 0,
    });
    const [due] = await whileHeld(database, hold(run.runId), [() => bed().store.commitBranches([failed])]);
    expect(due).toMatchObject([{ branch: "a", wakeInMs: 0 }]);
  });

  test("a start that waits for its first key holds no other", async () => {
    const { store } = bed();
    const insert = `insert into pawl.runs (tenant, id, workflow, version, status, wake_at, created_at, tags,
      idempotency_key, input) values ('default', 'first', 'ship', 1, 'ready', now(), now(), '{}', '1', '{"order": 7}')`;
    const batch = ["3", "1", "2"].map((key) => newRun({ idempotencyKey: key }));
    const [started] = await whileHeld(
      database,
      { text: insert, params: [] },
      [() => store.startRuns("default", batch)],
      async () => {
        const others = ["2", "3"].map((key) => newRun({ id: `other ${key}`, idempotencyKey: key }));
        expect(await createStore(impatient.db).startRuns("default", others)).toHaveLength(2);
      },
    );
    expect(started?.map(({ run }) => run.runId)).toEqual(["other 3", "first", "other 2"]);
  });

  test("two starts of the same new keys in opposite orders pass each other", async () => {
    const { store, reads } = bed();
    const keys = Array.from({ length: 40 }, (_, i) => `key ${i}`);
    const batch = (order: readonly string[]) =>
      store.startRuns(
        "default",
        order.map((key) => newRun({ idempotencyKey: key })),
      );
    await Promise.all([keys, keys.toReversed(), keys, keys.toReversed()].map(batch));
    expect(await reads.runs("default", {}, 100, null)).toHaveLength(40);
  });
});
