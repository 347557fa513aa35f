/** What a commit writes besides the run and its journal. */
import { describe, expect, test } from "vitest";
import { encode } from "../../../src/engine/codec.ts";
import type { Decision } from "../../../src/engine/decide.ts";
import type { Effect } from "../../../src/engine/effect.ts";
import type { Bed, Table } from "../support/bed.ts";
import { boom, DAY, decision, entry, HOUR, MINUTE, newRun, only, ref } from "../support/builders.ts";
import {
  branchOf,
  claimBranch,
  forked,
  inboxOf,
  newBranch,
  newWait,
  outcome,
  parks,
  signal,
  withChild,
  withChildren,
} from "../support/family.ts";

const set = (key: string, value: unknown): Effect => ({ kind: "set", key, value: encode(value, "x") });
const append = (key: string, value: unknown): Effect => ({ kind: "append", key, value: encode(value, "x") });

export function commitPartsSuite(bed: () => Bed): void {
  describe("waits", () => {
    test("begin with a commit, are brought to the next turn, and end with a later one", async () => {
      const { startAndClaim, store, claim, rowsOf } = bed();
      const run = await startAndClaim();
      const waits = [
        newWait("signal", "paid", { key: "payment", due: { inMs: HOUR } }),
        newWait("person", "other"),
      ];
      await store.commitTurns([parks(run, { wakeInMs: HOUR, waits })]);
      await store.deliverSignals("default", [signal(run, "wake")]);
      const second = await claim(run);
      expect(second.waits.toSorted((a, b) => (a.key < b.key ? -1 : 1))).toEqual([
        { key: "other", kind: "person", begunAt: expect.any(Number), dueAt: null },
        {
          key: "payment",
          kind: "signal",
          begunAt: expect.any(Number),
          dueAt: expect.closeTo(run.now + HOUR, -4),
        },
      ]);
      await store.commitTurns([parks(second, { endedWaits: ["payment"] })]);
      expect((await rowsOf("waits", run)).map(({ key }) => key)).toEqual(["other"]);
      expect((await bed().see(run)).status).toBe("waiting");
    });

    test("a wait until an instant keeps it to the millisecond", async () => {
      const { startAndClaim, store, claim } = bed();
      const run = await startAndClaim();
      const wait = newWait("signal", "paid", { due: { at: 1_000 } });
      await store.commitTurns([decision(run, { waits: [wait] })]);
      expect((await claim(run)).waits).toMatchObject([{ dueAt: 1_000 }]);
    });

    test("what came before its wait leaves the run ready, with a wake-up (I5, F3)", async () => {
      const { start, claim, store, commit, see } = bed();
      const run = await start();
      await store.deliverSignals("default", [signal(run, "paid", "1", { sum: 7 })]);
      const turn = await claim(run);
      expect(
        await commit([parks(turn, { waits: [newWait("signal", "paid", { key: "payment" })] })]),
      ).toMatchObject([{ ...ref(run), wakeInMs: 0 }]);
      expect(await see(run)).toMatchObject({ status: "ready" });
      expect((await claim(run)).inbox).toMatchObject([
        { name: "paid", sender: "1", payload: { json: { sum: 7 } } },
      ]);
    });

    test("what came for another wait leaves it parked", async () => {
      const { start, claim, store, commit } = bed();
      const run = await start();
      await store.deliverSignals("default", [signal(run, "refunded")]);
      const waits = [newWait("signal", "paid", { key: "refunded" })];
      expect(await commit([parks(await claim(run), { waits })])).toEqual([
        { ...ref(run), status: "waiting", wakeInMs: null },
      ]);
    });

    test("what this commit takes does not answer the wait that it begins", async () => {
      const { start, claim, store, commit } = bed();
      const run = await start();
      await store.deliverSignals("default", [signal(run, "paid")]);
      const turn = await claim(run);
      const taken = turn.inbox.map(({ id }) => ({ id, key: "first" }));
      const again = parks(turn, { consumed: taken, waits: [newWait("signal", "paid", { key: "second" })] });
      expect(await commit([again])).toMatchObject([{ status: "waiting", wakeInMs: null }]);
    });
  });

  describe("deliveries (I5)", () => {
    test("a signal that is taken is not brought again, and its id stays known", async () => {
      const { start, claim, store, rowsOf } = bed();
      const run = await start();
      await store.deliverSignals("default", [signal(run, "paid", "1")]);
      const turn = await claim(run);
      const consumed = turn.inbox.map(({ id }) => ({ id, key: "payment" }));
      await store.commitTurns([
        decision(turn, { entries: [entry(1, { kind: "signal", key: "payment" })], consumed }),
      ]);
      expect((await claim(run)).inbox).toEqual([]);
      expect(await rowsOf("deliveries", run)).toMatchObject([{ consumed_by: "payment", payload: null }]);
      await store.deliverSignals("default", [signal(run, "paid", "1")]);
      expect(await inboxOf(bed(), run)).toEqual([]);
    });

    test("any other delivery goes once it is taken, also when nobody waited for it", async () => {
      const { store, claim, rowsOf } = bed();
      const run = await forked(bed(), ["a", "b"]);
      for (const key of ["a", "b"]) await store.commitBranches([outcome(await claimBranch(bed(), run, key))]);
      const turn = await claim(run);
      const consumed = turn.inbox.map(({ id, name }) => ({ id, key: name === "a" ? "a" : null }));
      await store.commitTurns([decision(turn, { consumed })]);
      expect(await rowsOf("deliveries", run)).toEqual([]);
    });

    test("of a flood of other signals nothing hides what the run waits for", async () => {
      const { startAndClaim, store, claim } = bed();
      const run = await startAndClaim();
      await store.commitTurns([parks(run, { waits: [newWait("signal", "paid")] })]);
      await store.deliverSignals(
        "default",
        Array.from({ length: 1_200 }, (_, i) => signal(run, "noise", String(i))),
      );
      await store.deliverSignals("default", [signal(run, "paid")]);
      const { inbox } = await claim(run);
      expect(inbox).toHaveLength(1_000);
      expect(inbox.filter(({ name }) => name === "paid")).toHaveLength(1);
    });

    test("more than one claim brings keep the run ready until all are taken", async () => {
      const { startAndClaim, store, claim, commit } = bed();
      const run = await startAndClaim();
      await store.commitTurns([parks(run, { waits: [newWait("signal", "tick")] })]);
      await store.deliverSignals(
        "default",
        Array.from({ length: 1_500 }, (_, i) => signal(run, "tick", String(i))),
      );
      const taken = [];
      for (const status of ["ready", "waiting"]) {
        const turn = await claim(run);
        taken.push(turn.inbox.length);
        const consumed = turn.inbox.map(({ id }) => ({ id, key: "tick" }));
        expect(await commit([parks(turn, { consumed })])).toMatchObject([{ status }]);
      }
      expect(taken).toEqual([1_000, 500]);
    });
  });

  describe("branches", () => {
    test("begin with a wake-up each, those that are due later with its delay", async () => {
      const { startAndClaim, store, rowsOf } = bed();
      const run = await startAndClaim();
      const branches = [
        newBranch("now"),
        newBranch("soon", { due: { inMs: HOUR }, attempt: 3, spent: 2, askedAt: 7 }),
        newBranch("past", { due: { at: 1_000 } }),
        newBranch("late", { due: { inMs: 2 * DAY } }),
      ];
      const { due } = await store.commitTurns([parks(run, { branches })]);
      expect(due.toSorted((a, b) => ((a.branch ?? "") < (b.branch ?? "") ? -1 : 1))).toEqual([
        { ...ref(run), branch: "late", wakeInMs: 2 * DAY },
        { ...ref(run), branch: "now", wakeInMs: 0 },
        { ...ref(run), branch: "past", wakeInMs: 0 },
        { ...ref(run), branch: "soon", wakeInMs: HOUR },
      ]);
      const rows = await rowsOf("branches", run);
      expect(rows.map(({ key, wake_up_sent_at }) => [key, wake_up_sent_at === null])).toEqual([
        ["late", true],
        ["now", false],
        ["past", false],
        ["soon", false],
      ]);
      expect(rows[3]).toMatchObject({ attempt: 3, spent: 2, asked_at: 7, turn: 0 });
    });

    test("asked for again, a branch stays as it is and gets no other wake-up", async () => {
      const { store, claim, rowsOf } = bed();
      const run = await forked(bed(), ["a"]);
      await claimBranch(bed(), run, "a");
      const before = await rowsOf("branches", run);
      await store.deliverSignals("default", [signal(run, "wake")]);
      const { due } = await store.commitTurns([parks(await claim(run), { branches: [newBranch("a")] })]);
      expect(due).toEqual([]);
      expect(await rowsOf("branches", run)).toEqual(before);
    });

    test("that nobody waits for any more end, performed or not", async () => {
      const { store, claim, rowsOf } = bed();
      const run = await forked(bed(), ["held", "idle", "wanted"]);
      const held = await claimBranch(bed(), run, "held");
      await store.deliverSignals("default", [signal(run, "wake")]);
      await store.commitTurns([parks(await claim(run), { endedBranches: ["held", "idle"] })]);
      expect((await rowsOf("branches", run)).map(({ key }) => key)).toEqual(["wanted"]);
      expect(await store.renewBranch(branchOf(run, "held"), held.branchTurn, MINUTE)).toBe(false);
    });

    test("of a run that undoes what it did end only where nobody performs them", async () => {
      const { store, claim, rowsOf } = bed();
      const run = await forked(bed(), ["held", "idle"]);
      const held = await claimBranch(bed(), run, "held");
      await store.deliverSignals("default", [signal(run, "wake")]);
      const verdict = { status: "failed", failure: boom } as const;
      await store.commitTurns([parks(await claim(run), { verdict, endedBranches: ["held", "idle"] })]);
      expect((await rowsOf("branches", run)).map(({ key }) => key)).toEqual(["held"]);
      expect(await store.commitBranches([outcome(held)])).toEqual([{ ...ref(run), wakeInMs: 0 }]);
    });

    test("are seen by the next turn, and which of them are performed", async () => {
      const { store, claim } = bed();
      const run = await forked(bed(), ["a", "b"]);
      await claimBranch(bed(), run, "b");
      await store.deliverSignals("default", [signal(run, "wake")]);
      const { branches } = await claim(run);
      expect(branches.toSorted((x, y) => (x.key < y.key ? -1 : 1))).toEqual([
        { key: "a", leased: false },
        { key: "b", leased: true },
      ]);
    });
  });

  describe("children", () => {
    test("start with the commit: input, tags, deadline and delay are theirs, and each gets a wake-up", async () => {
      const { startAndClaim, store, see, reads } = bed();
      const parent = await startAndClaim({}, "other");
      const now = newRun({ tags: ["red"], deadlineInMs: HOUR, input: encode({ n: 1n }, "x") });
      const late = newRun({ delayMs: 2 * DAY, workflow: "bill", version: 3 });
      const effects = [now, late].map(
        (run): Effect => ({ kind: "start", run: { ...run, parent: { runId: parent.runId, key: null } } }),
      );
      const { due } = await store.commitTurns([decision(parent, { effects })]);
      const [first, second] = [now, late].map(({ id }) => ({ tenant: "other", runId: id })) as [
        typeof parent,
        typeof parent,
      ];
      expect(due).toContainEqual({ ...ref(first), wakeInMs: 0 });
      expect(due).toContainEqual({ ...ref(second), wakeInMs: 2 * DAY });
      const born = await see(first);
      expect(born).toMatchObject({ status: "ready", turn: 0, tags: ["red"], input: now.input });
      expect(born.parent).toEqual({ runId: parent.runId, key: null });
      expect((born.deadlineAt ?? 0) - born.createdAt).toBe(HOUR);
      const delayed = await see(second);
      expect(delayed).toMatchObject({ workflow: "bill", version: 3 });
      expect((delayed.wakeAt ?? 0) - delayed.createdAt).toBe(2 * DAY);
      expect((await reads.runs("other", { tags: ["red"] }, 10, null)).map(ref)).toEqual([ref(first)]);
    });

    test("a child that was delayed beyond the queue's reach is the sweep's to wake", async () => {
      const { startAndClaim, store, moveClock } = bed();
      const parent = await startAndClaim();
      const { child } = await withChild(bed(), parent, { delayMs: 2 * DAY });
      await moveClock(2 * DAY - MINUTE);
      expect((await store.collectDueRuns(10, MINUTE, 2 * MINUTE)).due).toMatchObject([ref(child)]);
    });

    const its = (parent: { runId: string }) => ({ runId: parent.runId, key: "child" });

    test.each(["completed", "failed", "dead"] as const)(
      "the parent that waits is told once: %s (F6)",
      async (status) => {
        const { store, claim, see } = bed();
        const { parent, child } = await withChild(bed());
        const output = status === "completed" ? encode({ at: new Date(7) }, "x") : null;
        const end = decision(await claim(child), { status, output, parent: its(parent) });
        const { due } = await store.commitTurns([end]);
        expect(due).toEqual([{ ...ref(parent), wakeInMs: 0 }]);
        await store.commitTurns([end]);
        const told = await claim(parent);
        expect(told).toMatchObject({ deliveries: 1 });
        expect(told.inbox).toMatchObject([
          { kind: "child", name: "child", outcome: status, sender: child.runId, payload: output },
        ]);
        expect(told.inbox[0]?.failure).toEqual(status === "completed" ? null : boom);
        expect((await see(child)).parent).toEqual(its(parent));
      },
    );

    test("a parent that does not wait any more is told nothing", async () => {
      const { store, claim } = bed();
      const { parent, child } = await withChild(bed());
      await store.deliverSignals("default", [signal(parent, "wake")]);
      await store.commitTurns([decision(await claim(parent), { endedWaits: ["child"] })]);
      const { due } = await store.commitTurns([
        decision(await claim(child), { status: "completed", parent: its(parent) }),
      ]);
      expect(due).toEqual([]);
      expect(await inboxOf(bed(), parent)).toEqual(["signal wake completed"]);
    });

    test("a parent that is paused, failed or dead keeps what it is told", async () => {
      const { store, claim } = bed();
      for (const [how, awake] of [
        ["paused", (run: typeof first) => store.resumeRun(run)],
        ["failed", (run: typeof first) => store.reviveRun(run)],
        ["dead", (run: typeof first) => store.reviveRun(run)],
      ] as const) {
        const { parent, child } = await withChild(bed());
        const born = await claim(child);
        if (how === "paused") await store.pauseRun(parent);
        else {
          await store.deliverSignals("default", [signal(parent, "wake")]);
          await store.commitTurns([decision(await claim(parent), { status: how })]);
        }
        const { due } = await store.commitTurns([
          decision(born, { status: "completed", parent: its(parent) }),
        ]);
        expect([how, due]).toEqual([how, []]);
        await awake(parent);
        expect((await claim(parent)).inbox.map(({ kind }) => kind)).toContain("child");
      }
      const first = await bed().startAndClaim();
    });

    test("fifty children that end at once tell their parent once each, and wake it once (F5)", async () => {
      const { startAndClaim, store, claim } = bed();
      const parent = await startAndClaim();
      const children = await withChildren(
        bed(),
        parent,
        Array.from({ length: 50 }, () => newRun()),
      );
      const { claimed } = await store.claimRuns(children, MINUTE);
      const ends = claimed.map((run) => decision(run, { status: "completed", parent: run.parent }));
      const answers = await Promise.all(ends.map((end) => store.commitTurns([end])));
      expect(answers.flatMap(({ due }) => due)).toEqual([{ ...ref(parent), wakeInMs: 0 }]);
      const told = await claim(parent);
      expect(told.inbox.map(({ name }) => name).sort()).toEqual(children.map(({ runId }) => runId).sort());
    });

    test("a parent and its child that end in one commit", async () => {
      const { store, claim, see } = bed();
      const { parent, child } = await withChild(bed());
      const born = await claim(child);
      await store.deliverSignals("default", [signal(parent, "wake")]);
      const woken = await claim(parent);
      const { turns, due } = await store.commitTurns([
        decision(born, { status: "completed", parent: its(parent) }),
        decision(woken, { status: "completed" }),
      ]);
      expect([turns.length, due]).toEqual([2, []]);
      expect(await see(parent)).toMatchObject({ status: "completed" });
      expect(await inboxOf(bed(), parent)).toEqual([]);
    });
  });

  describe("continueAsNew", () => {
    test("the next run takes what arrived, what the run is in, and whoever waits for it", async () => {
      const { store, claim, see, rowsOf } = bed();
      const { parent, child } = await withChild(bed());
      await store.deliverSignals("default", [signal(child, "early", "1"), signal(child, "later", "2")]);
      const turn = await claim(child);
      await store.subscribe(child, "news", "broadcast");
      const consumed = turn.inbox.slice(0, 1).map(({ id }) => ({ id, key: "early" }));
      await store.commitTurns([decision(turn, { consumed, effects: [{ kind: "join", group: "all" }] })]);
      const last = await claim(child);
      const key = { runId: parent.runId, key: "child" };
      const successor = newRun({ parent: key, continuedFrom: child.runId });
      const { due } = await store.commitTurns([
        decision(last, { status: "completed", successor, parent: key }),
      ]);
      const next = { ...child, runId: successor.id };
      expect(due).toEqual([{ ...next, wakeInMs: 0 }]);
      expect(await see(child)).toMatchObject({ status: "completed", continuedTo: next.runId });
      expect(await see(next)).toMatchObject({ status: "ready", continuedFrom: child.runId, parent: key });
      expect(await rowsOf("deliveries", child)).toEqual([]);
      expect(await rowsOf("subscriptions", next)).toMatchObject([{ channel: "news" }]);
      expect(await rowsOf("run_groups", next)).toMatchObject([{ name: "all" }]);
      expect(await rowsOf("waits", parent)).toMatchObject([{ key: "child", name: next.runId }]);
      const later = await claim(next);
      expect(later.inbox.map(({ name }) => name)).toEqual(["later"]);
      await store.deliverSignals("default", [signal(next, "early", "1")]);
      expect(await inboxOf(bed(), next)).toEqual(["signal later completed"]);
      expect((await store.commitTurns([decision(later, { status: "completed", parent: key })])).due).toEqual([
        { ...ref(parent), wakeInMs: 0 },
      ]);
      expect((await claim(parent)).inbox).toMatchObject([{ outcome: "completed", sender: next.runId }]);
    });
  });

  describe("a run that goes on as another, and its messages", () => {
    test.each([
      ["broadcast", null],
      ["competing", null],
      ["direct", "itself"],
    ] as const)(
      "a %s message that was brought and not read is brought to the successor",
      async (mode, to) => {
        const { start, claim, store } = bed();
        const run = await start();
        await store.subscribe(run, "news", mode);
        await store.commitTurns([parks(await claim(run), { waits: [newWait("message", "news")] })]);
        const payload = encode("hear", "x");
        await store.publish("default", { id: "1", channel: "news", payload, to: to && run.runId });
        await store.matchMessages("default", "news", 10);
        const turn = await claim(run);
        expect(turn.inbox).toMatchObject([{ kind: "message", payload }]);
        const successor = newRun({ continuedFrom: run.runId });
        await store.commitTurns([decision(turn, { status: "completed", successor })]);
        const next = { ...run, runId: successor.id };
        await store.commitTurns([parks(await claim(next), { waits: [newWait("message", "news")] })]);
        expect(await store.matchMessages("default", "news", 10)).toEqual([{ ...next, wakeInMs: 0 }]);
        expect((await claim(next)).inbox).toMatchObject([{ kind: "message", payload }]);
      },
    );

    test("a message that was read is not read again when its publisher does not know that it was", async () => {
      const { start, claim, store } = bed();
      const run = await start();
      await store.subscribe(run, "jobs", "competing");
      const message = { id: "1", channel: "jobs", payload: encode(7, "x"), to: null };
      await store.publish("default", message);
      const waits = [newWait("message", "jobs")];
      await store.commitTurns([parks(await claim(run), { waits })]);
      await store.matchMessages("default", "jobs", 10);
      const turn = await claim(run);
      const consumed = [{ id: only(turn.inbox).id, key: "jobs" }];
      await store.commitTurns([
        parks(turn, {
          consumed,
          endedWaits: ["jobs"],
          waits: [newWait("message", "jobs", { key: "again" })],
        }),
      ]);
      await store.publish("default", message);
      expect(await store.matchMessages("default", "jobs", 10)).toEqual([]);
    });
  });

  describe("groups, hooks, state and events", () => {
    test("of several joins and leaves of a turn the last counts", async () => {
      const { startAndClaim, claim, store, rowsOf } = bed();
      const run = await startAndClaim();
      const join = (group: string): Effect => ({ kind: "join", group });
      const leave = (group: string): Effect => ({ kind: "leave", group });
      await store.commitTurns([
        decision(run, { effects: [join("a"), join("b"), leave("b"), leave("c"), join("c")] }),
      ]);
      const groups = async () => (await rowsOf("run_groups", run)).map(({ name }) => name);
      expect(await groups()).toEqual(["a", "c"]);
      await store.commitTurns([decision(await claim(run), { effects: [leave("a"), join("c"), join("d")] })]);
      expect(await groups()).toEqual(["c", "d"]);
    });

    test("a hook is known by its digest until it expires", async () => {
      const { startAndClaim, store, rowsOf } = bed();
      const run = await startAndClaim();
      const hook: Effect = { kind: "hook", key: "approve", digest: run.runId, expiresInMs: HOUR };
      await store.commitTurns([decision(run, { effects: [hook] })]);
      const row = only(await rowsOf("hooks", run));
      expect(row).toMatchObject({ key: "approve", digest: run.runId, used_at: null });
      expect((row.expires_at as Date).getTime()).toBeCloseTo(run.now + HOUR, -4);
    });

    test("what is appended to a value that is no array makes one of both", async () => {
      const { startAndClaim, claim, store, rowsOf } = bed();
      const run = await startAndClaim();
      const state = async () =>
        Object.fromEntries((await rowsOf("run_state", run)).map(({ key, value }) => [key, value]));
      const values = [null, 7, "text", { x: 1 }, [1]];
      const both = values.flatMap((value, i) => [set(String(i), value), append(String(i), 2)]);
      await store.commitTurns([decision(run, { effects: both })]);
      const expected = { 0: [null, 2], 1: [7, 2], 2: ["text", 2], 3: [{ x: 1 }, 2], 4: [1, 2] };
      expect(await state()).toEqual(expected);
      const only = values.map((value, i) => set(String(i), value));
      await store.commitTurns([decision(await claim(run), { effects: only })]);
      const later = values.map((_, i) => append(String(i), 2));
      await store.commitTurns([decision(await claim(run), { effects: later })]);
      expect(await state()).toEqual(expected);
    });

    test("what a turn sets and appends comes down to one value of each key", async () => {
      const { startAndClaim, claim, store, rowsOf } = bed();
      const run = await startAndClaim();
      const state = async () =>
        Object.fromEntries((await rowsOf("run_state", run)).map(({ key, value }) => [key, value]));
      const first = [
        set("a", 1),
        set("a", 2),
        append("b", 1),
        append("b", 2),
        set("c", [1]),
        append("c", 2),
        set("n", null),
      ];
      await store.commitTurns([decision(run, { effects: first })]);
      expect(await state()).toEqual({ a: 2, b: [1, 2], c: [1, 2], n: null });
      const second = [append("b", 3), append("c", 1), set("c", [9]), append("c", 8), set("a", { x: 1 })];
      await store.commitTurns([decision(await claim(run), { effects: second })]);
      expect(await state()).toEqual({ a: { x: 1 }, b: [1, 2, 3], c: [9, 8], n: null });
    });
  });

  describe("what a run leaves behind", () => {
    const full = async () => {
      const { startAndClaim, store, claim } = bed();
      const run = await startAndClaim();
      const hook: Effect = { kind: "hook", key: "approve", digest: run.runId, expiresInMs: HOUR };
      await store.commitTurns([
        parks(run, {
          waits: [newWait("signal", "paid")],
          branches: [newBranch("a")],
          effects: [{ kind: "join", group: "all" }, hook, set("phase", 1)],
        }),
      ]);
      await store.deliverSignals("default", [signal(run, "other")]);
      return claim(run);
    };
    const left = async (run: Awaited<ReturnType<typeof full>>) => {
      const tables = ["waits", "branches", "deliveries", "run_groups", "hooks", "run_state"] as const;
      const counts = await Promise.all(tables.map(async (table) => (await bed().rowsOf(table, run)).length));
      return tables.filter((_, i) => counts[i] !== 0);
    };

    test.each([
      ["completed", ["run_state"]],
      ["failed", ["waits", "deliveries", "run_groups", "hooks", "run_state"]],
      ["dead", ["waits", "branches", "deliveries", "run_groups", "hooks", "run_state"]],
    ] as const)("%s", async (status, tables) => {
      const run = await full();
      await bed().store.commitTurns([decision(run, { status })]);
      expect(await left(run)).toEqual(tables);
    });

    test("cancelled", async () => {
      const run = await full();
      await bed().store.cancelRun(run, false);
      expect(await left(run)).toEqual(["run_state"]);
    });
  });

  describe("I2: a turn that has moved on", () => {
    const everything = (run: { runId: string }): Partial<Decision> => ({
      entries: [entry(1)],
      timers: [{ key: "nap", due: { inMs: HOUR } }],
      waits: [newWait("signal", "late")],
      endedWaits: ["paid"],
      branches: [newBranch("late")],
      endedBranches: ["a"],
      effects: [
        { kind: "start", run: newRun({ parent: { runId: run.runId, key: "late" }, tags: ["red"] }) },
        { kind: "join", group: "late" },
        { kind: "leave", group: "all" },
        { kind: "hook", key: "late", digest: "late", expiresInMs: HOUR },
        { kind: "emit", event: { id: "late", type: "late", subject: null, data: null } },
        set("phase", 2),
        append("log", 2),
      ],
    });

    test("writes nothing in any table", async () => {
      const { store, claim, everything: all } = bed();
      const { parent, child } = await withChild(bed());
      const zombie = await claim(child);
      await store.deliverSignals("default", [signal(child, "paid")]);
      await store.commitTurns([
        parks(zombie, {
          waits: [newWait("signal", "paid", { key: "paid" })],
          branches: [newBranch("a")],
          effects: [{ kind: "join", group: "all" }, set("phase", 1)],
        }),
      ]);
      const alive = await claim(child);
      const before = await all();
      const its = { runId: parent.runId, key: "child" };
      const consumed = alive.inbox.map(({ id }) => ({ id, key: "paid" }));
      for (const status of ["ready", "waiting", "completed", "failed", "dead"] as const) {
        const late = decision(zombie, { ...everything(child), consumed, status, parent: its });
        expect(await store.commitTurns([late])).toEqual({ turns: [], due: [] });
      }
      const successor = newRun({ parent: its, continuedFrom: child.runId });
      const moved = decision(zombie, { ...everything(child), status: "completed", successor, parent: its });
      expect(await store.commitTurns([moved])).toEqual({ turns: [], due: [] });
      expect(await all()).toEqual(before);
    });

    test("writes nothing beside the turn that came after it, when both come in one commit", async () => {
      const { startAndClaim, store, claim, rowsOf, see } = bed();
      const zombie = await startAndClaim();
      await store.commitTurns([decision(zombie)]);
      const alive = await claim(zombie);
      const late = decision(zombie, { ...everything(zombie), status: "completed" });
      const good = parks(alive, {
        waits: [newWait("signal", "paid")],
        branches: [newBranch("a")],
        effects: [{ kind: "join", group: "all" }, set("phase", 1)],
      });
      expect((await store.commitTurns([late, good])).turns.map(ref)).toEqual([ref(alive)]);
      expect(await see(alive)).toMatchObject({ status: "waiting", finishedAt: null });
      const left = async (table: Table) => (await rowsOf(table, alive)).map(({ key, name }) => key ?? name);
      expect([await left("waits"), await left("branches"), await left("hooks")]).toEqual([
        ["paid"],
        ["a"],
        [],
      ]);
      expect([await left("run_groups"), await left("run_state")]).toEqual([["all"], ["phase"]]);
    });

    test("writes nothing beside a neighbour that writes everything", async () => {
      const { startAndClaim, store, rowsOf, see } = bed();
      const [zombie, alive] = [await startAndClaim(), await startAndClaim()];
      await store.cancelRun(zombie, false);
      const before = await see(zombie);
      const decisions = [zombie, alive].map((run) =>
        decision(run, { ...everything(run), effects: [set("phase", 2)] }),
      );
      const { turns } = await store.commitTurns(decisions);
      expect(turns.map(ref)).toEqual([ref(alive)]);
      for (const table of ["waits", "branches", "run_state"] as const) {
        expect([table, (await rowsOf(table, zombie)).length, (await rowsOf(table, alive)).length]).toEqual([
          table,
          0,
          1,
        ]);
      }
      expect(await see(zombie)).toEqual(before);
    });

    test("an answer that was lost is given again, and nothing is written twice", async () => {
      const { startAndClaim, store, everything: all } = bed();
      const run = await startAndClaim();
      const same = parks(run, { ...everything(run), wakeInMs: HOUR });
      const first = await store.commitTurns([same]);
      const before = await all();
      const second = await store.commitTurns([same]);
      expect(second.turns).toEqual(first.turns);
      // What else was due has its wake-up noted, and is the sweep's after the grace.
      expect(second.due).toMatchObject([ref(run)]);
      expect(await all()).toEqual(before);
    });
  });
}
