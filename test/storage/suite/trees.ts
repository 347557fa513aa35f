/** Cancel, pause and resume of a run with its descendants. */
import { describe, expect, test } from "vitest";
import type { Effect } from "../../../src/engine/effect.ts";
import type { RunRef } from "../../../src/engine/run.ts";
import type { Bed } from "../support/bed.ts";
import { DAY, decision, entry, HOUR, LEASE, newRun, only, ref } from "../support/builders.ts";
import {
  branchOf,
  claimBranch,
  forked,
  inboxOf,
  newBranch,
  newWait,
  parks,
  signal,
  withChild,
  withChildren,
} from "../support/family.ts";

interface Family {
  readonly root: RunRef;
  readonly middle: RunRef;
  readonly leaf: RunRef;
  /** Started by the root, and on its own. */
  readonly detached: RunRef;
}

export function treesSuite(bed: () => Bed): void {
  /** Three generations that wait for each other; the leaf is held by a turn. */
  const family = async (): Promise<Family> => {
    const { startAndClaim, store, claim } = bed();
    const first = await startAndClaim();
    const detached = newRun({ parent: { runId: first.runId, key: null } });
    await store.commitTurns([decision(first, { effects: [{ kind: "start", run: detached }] })]);
    const { parent: root, child: middle } = await withChild(bed(), await claim(first));
    const { child: leaf } = await withChild(bed(), await claim(middle));
    await claim(leaf);
    return { root, middle, leaf, detached: { ...ref(root), runId: detached.id } };
  };
  const statuses = async ({ root, middle, leaf, detached }: Family) =>
    (await Promise.all([root, middle, leaf, detached].map((run) => bed().see(run)))).map(
      ({ status }) => status,
    );

  describe("cancel", () => {
    test("takes the descendants along, level by level, and leaves detached runs alone", async () => {
      const { store, see } = bed();
      const tree = await family();
      const before = await see(tree.leaf);
      expect(await store.cancelRun(tree.root, false)).toEqual({ result: "moved", due: [] });
      expect(await statuses(tree)).toEqual(["cancelled", "cancelled", "cancelled", "ready"]);
      expect(await see(tree.leaf)).toMatchObject({ turn: before.turn + 1, leaseExpiresAt: null });
      expect(await store.renewLease(tree.leaf, before.turn, HOUR)).toBe(false);
    });

    test("of a child alone tells the parent that waits, once", async () => {
      const { store, claim } = bed();
      const tree = await family();
      expect(await store.cancelRun(tree.middle, false)).toEqual({
        result: "moved",
        due: [{ ...ref(tree.root), wakeInMs: 0 }],
      });
      expect(await statuses(tree)).toEqual(["waiting", "cancelled", "cancelled", "ready"]);
      expect(await store.cancelRun(tree.middle, false)).toEqual({ result: "unchanged", due: [] });
      expect((await claim(tree.root)).inbox).toMatchObject([
        { kind: "child", name: "child", outcome: "cancelled", sender: tree.middle.runId, failure: null },
      ]);
    });

    test("of a thousand children is one call", async () => {
      const { startAndClaim, store, reads, everything } = bed();
      const parent = await startAndClaim();
      const children = Array.from({ length: 1_000 }, () => newRun({ tags: ["child"] }));
      await withChildren(bed(), parent, children);
      expect(await store.cancelRun(parent, false)).toMatchObject({ result: "moved" });
      expect(
        await reads.runs("default", { tags: ["child"], statuses: ["cancelled"] }, 2_000, null),
      ).toHaveLength(1_000);
      expect((await everything()).deliveries ?? []).toEqual([]);
    });

    test("of what is refused moves no descendant", async () => {
      const { store, see } = bed();
      for (const status of ["completed", "failed", "dead"] as const) {
        const { parent, child } = await withChild(bed());
        await store.deliverSignals("default", [signal(parent, "wake")]);
        await store.commitTurns([decision(await bed().claim(parent), { status })]);
        const before = await see(child);
        for (const compensate of [false, true]) {
          expect(await store.cancelRun(parent, compensate)).toEqual({ result: status, due: [] });
        }
        expect((await store.pauseRun(parent)).result).toBe(status);
        expect((await store.resumeRun(parent)).result).toBe(status);
        expect(await see(child)).toEqual(before);
      }
    });

    test("a dead letter between the cancelled keeps what its child became", async () => {
      const { store, claim, stuckRuns } = bed();
      const tree = await family();
      await store.deliverSignals("default", [signal(tree.middle, "wake")]);
      await store.commitTurns([decision(await claim(tree.middle), { status: "dead" })]);
      await store.cancelRun(tree.root, false);
      expect(await statuses(tree)).toEqual(["cancelled", "dead", "cancelled", "ready"]);
      await store.reviveRun(tree.middle);
      const revived = await claim(tree.middle);
      expect(revived.inbox.map(({ kind, outcome }) => `${kind} ${outcome}`)).toEqual([
        "signal completed",
        "child cancelled",
      ]);
      expect(await stuckRuns()).toEqual([]);
    });

    test("takes waits, branches, deliveries and timers along", async () => {
      const { store, rowsOf, timers } = bed();
      const run = await forked(bed(), ["held", "idle"], {
        waits: [newWait("signal", "paid")],
        timers: [{ key: "nap", due: { inMs: HOUR } }],
        wakeInMs: HOUR,
      });
      await claimBranch(bed(), run, "held");
      await store.deliverSignals("default", [signal(run, "other")]);
      await store.cancelRun(run, false);
      for (const table of ["waits", "branches", "deliveries"] as const)
        expect(await rowsOf(table, run)).toEqual([]);
      expect(await timers(run)).toEqual([]);
    });

    test("a child that was born while the cancel waited is cancelled, too", async () => {
      const { store, claim, see } = bed();
      for (let i = 0; i < 10; i++) {
        const parent = await claim(await bed().start());
        const child = newRun({ parent: { runId: parent.runId, key: "child" } });
        const start: Effect = { kind: "start", run: child };
        const waits = [newWait("child", child.id, { key: "child" })];
        const [{ turns }] = await Promise.all([
          store.commitTurns([parks(parent, { effects: [start], waits })]),
          store.cancelRun(parent, false),
        ]);
        expect(await see(parent)).toMatchObject({ status: "cancelled" });
        if (turns.length === 1)
          expect(await see({ ...ref(parent), runId: child.id })).toMatchObject({ status: "cancelled" });
      }
    });
  });

  describe("cancel with compensate", () => {
    test("has every run of the tree undo what it did, from wherever it is", async () => {
      const { store, see, claim } = bed();
      const tree = await family();
      await store.pauseRun(tree.middle);
      const { result, due } = await store.cancelRun(tree.root, true);
      expect(result).toBe("moved");
      expect(due.map(({ runId }) => runId).sort()).toEqual(
        [tree.root, tree.middle, tree.leaf].map(({ runId }) => runId).sort(),
      );
      for (const run of [tree.root, tree.middle, tree.leaf]) {
        expect(await see(run)).toMatchObject({
          status: "ready",
          phase: "compensating",
          pausedAt: null,
          finishedAt: null,
        });
        expect(await claim(run)).toMatchObject({ verdict: { status: "cancelled", failure: null } });
      }
      expect(await statuses(tree)).toEqual(["running", "running", "running", "ready"]);
    });

    test("asked for twice it goes on as it is, and cancel without it ends the run at once", async () => {
      const { store, see } = bed();
      const run = await forked(bed(), ["a"]);
      await store.cancelRun(run, true);
      const before = await see(run);
      expect(await store.cancelRun(run, true)).toEqual({ result: "unchanged", due: [] });
      expect(await see(run)).toEqual(before);
      expect(await store.cancelRun(run, false)).toEqual({ result: "moved", due: [] });
      expect(await see(run)).toMatchObject({ status: "cancelled" });
      expect(await store.cancelRun(run, true)).toEqual({ result: "unchanged", due: [] });
    });

    test("the parent hears of it when everything is undone, and never before", async () => {
      const { store, claim } = bed();
      const { parent, child } = await withChild(bed());
      const cancelled = { status: "cancelled", failure: null } as const;
      await store.cancelRun(child, true);
      const its = { runId: parent.runId, key: "child" };
      const turn = await claim(child);
      const undoing = decision(turn, { verdict: cancelled, entries: [entry(1, { kind: "compensation" })] });
      expect((await store.commitTurns([undoing])).due).toEqual([{ ...ref(child), wakeInMs: 0 }]);
      expect(await inboxOf(bed(), parent)).toEqual([]);
      const last = await claim(child);
      const over = decision(last, { status: "cancelled", verdict: cancelled, parent: its });
      expect((await store.commitTurns([over])).due).toEqual([{ ...ref(parent), wakeInMs: 0 }]);
      expect(await inboxOf(bed(), parent)).toEqual(["child child cancelled"]);
    });

    test("I2: the turn that was under way writes nothing any more", async () => {
      const { store, startAndClaim, journaled } = bed();
      const run = await startAndClaim();
      await store.cancelRun(run, true);
      expect(await store.commitTurns([decision(run, { entries: [entry(1)] })])).toEqual({
        turns: [],
        due: [],
      });
      expect(await journaled(run)).toEqual([]);
    });
  });

  describe("pause and resume", () => {
    test("hold the whole tree, and the turn that is under way ends and is held then", async () => {
      const { store, see, claim } = bed();
      const tree = await family();
      const leaf = await see(tree.leaf);
      expect(await store.pauseRun(tree.root)).toEqual({ result: "moved", due: [] });
      expect(await statuses(tree)).toEqual(["paused", "paused", "running", "ready"]);
      const held = { tenant: "default", runId: leaf.runId, turn: leaf.turn, deliveries: 0 };
      expect((await store.commitTurns([decision(held, { entries: [entry(1)] })])).due).toEqual([]);
      expect(await statuses(tree)).toEqual(["paused", "paused", "paused", "ready"]);
      expect((await store.claimRuns([tree.root, tree.middle, tree.leaf], LEASE)).claimed).toEqual([]);
      const { result, due } = await store.resumeRun(tree.root);
      expect(result).toBe("moved");
      expect(due.map(({ runId }) => runId).sort()).toEqual(
        [tree.root, tree.middle, tree.leaf].map(({ runId }) => runId).sort(),
      );
      expect(await statuses(tree)).toEqual(["ready", "ready", "ready", "ready"]);
      expect((await claim(tree.leaf)).journal).toHaveLength(1);
    });

    test("from every other status are refused by name, and doing it twice changes nothing", async () => {
      const { store, start, startAndClaim, everything } = bed();
      const run = await start();
      expect((await store.resumeRun(run)).result).toBe("ready");
      await store.pauseRun(run);
      const before = await everything();
      expect(await store.pauseRun(run)).toEqual({ result: "unchanged", due: [] });
      expect(await everything()).toEqual(before);
      for (const status of ["completed", "failed", "dead"] as const) {
        const ended = await startAndClaim();
        await store.commitTurns([decision(ended, { status })]);
        expect((await store.pauseRun(ended)).result).toBe(status);
        expect((await store.resumeRun(ended)).result).toBe(status);
      }
      const cancelled = await start();
      await store.cancelRun(cancelled, false);
      expect((await store.pauseRun(cancelled)).result).toBe("cancelled");
      expect((await store.resumeRun(cancelled)).result).toBe("cancelled");
      const nobody = { tenant: "default", runId: "nobody" };
      expect((await store.pauseRun(nobody)).result).toBe("not_found");
      expect((await store.resumeRun({ ...run, tenant: "other" })).result).toBe("not_found");
    });

    test("a resume that is refused moves no descendant that a person holds", async () => {
      const { store } = bed();
      const tree = await family();
      await store.pauseRun(tree.middle);
      expect((await store.resumeRun(tree.root)).result).toBe("waiting");
      expect(await statuses(tree)).toEqual(["waiting", "paused", "running", "ready"]);
    });

    test("hold what the turn that is under way starts, but for detached runs", async () => {
      const { store, startAndClaim, claim, see } = bed();
      const run = await startAndClaim();
      await store.pauseRun(run);
      const [child, detached] = [newRun(), newRun({ parent: { runId: run.runId, key: null } })];
      const start = (fields: typeof child, key: string | null): Effect => ({
        kind: "start",
        run: { ...fields, parent: { runId: run.runId, key } },
      });
      const effects = [start(child, "child"), start(detached, null)];
      const waits = [newWait("child", child.id, { key: "child" })];
      const { due } = await store.commitTurns([parks(run, { effects, waits })]);
      expect(due).toEqual([{ tenant: "default", runId: detached.id, wakeInMs: 0 }]);
      expect(await see({ ...ref(run), runId: child.id })).toMatchObject({ status: "paused", wakeAt: null });
      const resumed = (await store.resumeRun(run)).due.map(({ runId }) => runId);
      expect(resumed.sort()).toEqual([run.runId, child.id].sort());
      await claim({ ...ref(run), runId: child.id });
    });

    test("hold a run that goes on as another", async () => {
      const { store, startAndClaim, see } = bed();
      const run = await startAndClaim();
      await store.pauseRun(run);
      const successor = newRun({ continuedFrom: run.runId });
      expect((await store.commitTurns([decision(run, { status: "completed", successor })])).due).toEqual([]);
      expect(await see(run)).toMatchObject({ status: "completed", pausedAt: null });
      const next = { ...ref(run), runId: successor.id };
      expect(await see(next)).toMatchObject({ status: "paused", pausedAt: expect.any(Number) });
      expect(await store.resumeRun(next)).toEqual({ result: "moved", due: [{ ...next, wakeInMs: 0 }] });
    });

    test("a run that is to begin later begins then, although it was paused before", async () => {
      const { start, store, see, moveClock } = bed();
      const run = await start({ delayMs: HOUR });
      const { wakeAt } = await see(run);
      await store.pauseRun(run);
      const { due } = await store.resumeRun(run);
      expect(await see(run)).toMatchObject({ status: "ready", wakeAt });
      expect(only(due).wakeInMs).toBeGreaterThan(HOUR / 2);
      await store.pauseRun(run);
      await moveClock(HOUR);
      expect((await store.resumeRun(run)).due).toEqual([{ ...run, wakeInMs: 0 }]);
    });

    test("a run whose deadline passed while a person held it is due by then", async () => {
      const { start, store, see, moveClock } = bed();
      const run = await start({ deadlineInMs: HOUR });
      await store.pauseRun(run);
      await moveClock(2 * HOUR);
      expect((await store.resumeRun(run)).due).toMatchObject([{ wakeInMs: 0 }]);
      const { wakeAt, deadlineAt } = await see(run);
      expect(wakeAt).toBe(deadlineAt);
    });

    test("a pause that is taken back before the turn ends leaves no trace", async () => {
      const { store, startAndClaim, see, commit } = bed();
      const run = await startAndClaim();
      await store.pauseRun(run);
      expect(await store.resumeRun(run)).toEqual({ result: "moved", due: [{ ...ref(run), wakeInMs: 0 }] });
      expect(await see(run)).toMatchObject({ status: "running", turn: 1, pausedAt: null });
      expect(await commit([decision(run)])).toMatchObject([{ status: "ready" }]);
    });

    test("what is delivered meanwhile is kept, and taken once the run is resumed", async () => {
      const { store, startAndClaim, claim, see } = bed();
      const run = await startAndClaim();
      const waits = [newWait("signal", "paid")];
      await store.commitTurns([
        parks(run, { waits, branches: [newBranch("late", { due: { inMs: 2 * DAY } })] }),
      ]);
      await store.pauseRun(run);
      expect((await store.deliverSignals("default", [signal(run, "paid")])).due).toEqual([]);
      expect(await see(run)).toMatchObject({ status: "paused", wakeAt: null });
      expect((await store.resumeRun(run)).due).toEqual([{ ...ref(run), wakeInMs: 0 }]);
      expect(only((await claim(run)).inbox)).toMatchObject({ name: "paid" });
    });

    test("a paused run whose lease runs out is held, and not lost", async () => {
      const { store, startAndClaim, see, moveClock } = bed();
      const run = await startAndClaim();
      await store.pauseRun(run);
      await moveClock(LEASE);
      expect(await store.reclaimLeases(10, 5)).toEqual({ due: [], swept: 1 });
      expect(await see(run)).toMatchObject({ status: "paused", lostTurns: 1, wakeAt: null });
      expect((await store.resumeRun(run)).result).toBe("moved");
      expect((await store.claimSuspect(run, LEASE)).claimed).toHaveLength(1);
    });

    test("a turn that ends its run ends it, held or not", async () => {
      const { store, startAndClaim, see } = bed();
      for (const status of ["completed", "failed", "dead"] as const) {
        const run = await startAndClaim();
        await store.pauseRun(run);
        await store.commitTurns([decision(run, { status })]);
        expect(await see(run)).toMatchObject({ status, pausedAt: null });
      }
    });

    test("the branches that were left alone meanwhile are woken", async () => {
      const { store } = bed();
      const run = await forked(bed(), ["a", "held"]);
      await claimBranch(bed(), run, "held");
      await store.pauseRun(run);
      const { due } = await store.resumeRun(run);
      expect(due).toContainEqual({ ...ref(run), branch: "a", wakeInMs: 0 });
      expect(due).toHaveLength(2);
      expect((await store.claimBranches([branchOf(run, "a")], LEASE)).claimed).toHaveLength(1);
    });
  });

  describe("a child that dies", () => {
    test.each([1, 2])("at the limit of lost turns tells its parent: limit %i", async (limit) => {
      const { store, claim, moveClock } = bed();
      const { parent, child } = await withChild(bed());
      await claim(child);
      for (let lost = 1; lost <= limit; lost++) {
        expect(await inboxOf(bed(), parent)).toEqual([]);
        await moveClock(LEASE);
        const { due, swept } = await store.reclaimLeases(10, limit);
        expect(swept).toBe(1);
        if (lost === limit) expect(due).toEqual([{ ...ref(parent), wakeInMs: 0 }]);
        await moveClock(DAY);
        await store.claimSuspect(child, LEASE);
      }
      expect(await store.reclaimLeases(10, limit)).toEqual({ due: [], swept: 0 });
      const told = only((await claim(parent)).inbox);
      expect(told).toMatchObject({
        kind: "child",
        outcome: "dead",
        failure: { code: "lost_turns_exhausted" },
      });
    });

    test("beside its parent, which lost its turn as well, is told of all the same", async () => {
      const { store, claim, moveClock } = bed();
      const { parent, child } = await withChild(bed());
      await claim(child);
      await store.deliverSignals("default", [signal(parent, "wake")]);
      await claim(parent);
      await moveClock(LEASE);
      expect(await store.reclaimLeases(10, 1)).toMatchObject({ swept: 2 });
      await store.reviveRun(parent);
      expect((await claim(parent)).inbox.map(({ kind }) => kind)).toEqual(["signal", "child"]);
    });
  });
}
