import { expect, test } from "vitest";
import type { Bed } from "../support/bed.ts";
import { boom, DAY, decision, HOUR, LEASE, MINUTE, only, ref } from "../support/builders.ts";
import {
  branchOf,
  claimBranch,
  forked,
  inboxOf,
  newBranch,
  outcome,
  parks,
  signal,
} from "../support/family.ts";

export function reclaimBranchesSuite(bed: () => Bed): void {
  test("a branch whose lease ran out is due again, spaced out, in a new turn, and its run hears nothing", async () => {
    const { store, moveClock, rowsOf, see } = bed();
    const run = await forked(bed(), ["a"]);
    const before = await see(run);
    await claimBranch(bed(), run, "a");
    for (const [i, second] of [1, 2, 4, 8, 16, 32, 60, 60].entries()) {
      await moveClock(LEASE);
      const { due, swept } = await store.reclaimBranches(10, 100);
      expect(swept).toBe(1);
      expect(due).toMatchObject([{ ...ref(run), branch: "a" }]);
      expect(due[0]?.wakeInMs).toBeGreaterThanOrEqual(second * 750);
      expect(due[0]?.wakeInMs).toBeLessThanOrEqual(second * 1_000);
      expect(only(await rowsOf("branches", run))).toMatchObject({
        turn: 2 * i + 2,
        lost_turns: i + 1,
        attempt: 1,
      });
      await moveClock(MINUTE);
      await store.claimSuspectBranch(branchOf(run, "a"), LEASE);
    }
    expect(await see(run)).toEqual(before);
  });

  test("a branch that cannot be changed is told of by its run, and the others are taken back all the same (E7)", async () => {
    const { store, moveClock, rowsOf, corrupt } = bed();
    const bad = await forked(bed(), ["a", "b"]);
    const good = [await forked(bed(), ["a", "b"]), await forked(bed(), ["c"])];
    for (const key of ["a", "b"]) await claimBranch(bed(), bad, key);
    for (const run of good)
      for (const { key } of await rowsOf("branches", run)) await claimBranch(bed(), run, String(key));
    await corrupt(bad);
    const before = await rowsOf("branches", bad);
    await moveClock(LEASE);
    const { due, swept, refused } = await store.reclaimBranches(100, 5);
    expect(due.map(({ branch }) => branch).sort()).toEqual(["a", "b", "c"]);
    expect(swept).toBe(3);
    expect(refused).toEqual([{ ...ref(bad), error: expect.any(Error) }]);
    expect(await rowsOf("branches", bad)).toEqual(before);
  });

  test("a lease that has not run out is left alone", async () => {
    const { store, moveClock } = bed();
    await claimBranch(bed(), await forked(bed(), ["a"]), "a");
    await moveClock(LEASE - 5_000);
    expect(await store.reclaimBranches(10, 1)).toEqual({ due: [], swept: 0 });
  });

  test("I12: at the limit the run is told that the step died, by name, with the attempts before", async () => {
    const { store, moveClock, claim, rowsOf } = bed();
    const run = await forked(bed(), ["a"]);
    const retry = { outcome: "retrying", failure: boom, retryInMs: 0 } as const;
    await store.commitBranches([outcome(await claimBranch(bed(), run, "a"), retry)]);
    await claimBranch(bed(), run, "a");
    await moveClock(LEASE);
    expect(await store.reclaimBranches(10, 1)).toEqual({ due: [{ ...ref(run), wakeInMs: 0 }], swept: 1 });
    expect(await rowsOf("branches", run)).toEqual([]);
    const [told] = (await claim(run)).inbox;
    expect(told).toMatchObject({
      kind: "branch",
      name: "a",
      outcome: "dead",
      attempt: 2,
      attempts: [{ attempt: 1 }],
    });
    expect(told?.failure).toMatchObject({ code: "lost_turns_exhausted", step: "a" });
    expect(told?.failure?.message).toContain("lost its invocation 1 times");
  });

  test("I12: a failed attempt sets the count of lost turns back", async () => {
    const { store, moveClock, rowsOf } = bed();
    const run = await forked(bed(), ["a"]);
    await claimBranch(bed(), run, "a");
    await moveClock(LEASE);
    await store.reclaimBranches(10, 5);
    await moveClock(MINUTE);
    const again = only((await store.claimSuspectBranch(branchOf(run, "a"), LEASE)).claimed);
    expect(again).toMatchObject({ attempt: 1, spent: 0 });
    await store.commitBranches([outcome(again, { outcome: "retrying", failure: boom, retryInMs: 0 })]);
    expect(only(await rowsOf("branches", run))).toMatchObject({ lost_turns: 0, spent: 1 });
  });

  test("an at-most-once step that had begun is not tried again: its outcome is unknown", async () => {
    const { store, moveClock, claim } = bed();
    const run = await forked(bed(), ["a"]);
    const { branchTurn } = await claimBranch(bed(), run, "a");
    await store.startBranch(branchOf(run, "a"), branchTurn);
    await moveClock(LEASE);
    expect(await store.reclaimBranches(10, 5)).toEqual({ due: [{ ...ref(run), wakeInMs: 0 }], swept: 1 });
    expect((await claim(run)).inbox).toMatchObject([{ outcome: "unknown", failure: null }]);
  });

  test("a branch of a run that undoes what it did just goes, and the run goes on", async () => {
    const { store, moveClock, claim, rowsOf, see } = bed();
    const run = await forked(bed(), ["a"]);
    await claimBranch(bed(), run, "a");
    await store.cancelRun(run, true);
    await store.commitTurns([parks(await claim(run), { verdict: { status: "cancelled", failure: null } })]);
    await moveClock(LEASE);
    expect(await store.reclaimBranches(10, 1)).toEqual({ due: [{ ...ref(run), wakeInMs: 0 }], swept: 1 });
    expect([await rowsOf("branches", run), await inboxOf(bed(), run)]).toEqual([[], []]);
    expect(await see(run)).toMatchObject({
      status: "waiting",
      phase: "compensating",
      wakeAt: expect.any(Number),
    });
  });

  test("a branch of a dead run is taken back too, and waits for a revive", async () => {
    const { store, moveClock, claim } = bed();
    const run = await forked(bed(), ["a"]);
    await claimBranch(bed(), run, "a");
    await store.deliverSignals("default", [signal(run, "wake")]);
    await store.commitTurns([decision(await claim(run), { status: "dead" })]);
    await moveClock(LEASE);
    expect(await store.reclaimBranches(10, 5)).toMatchObject({ swept: 1 });
    await moveClock(DAY);
    await store.reviveRun(run);
    expect(await claimBranch(bed(), run, "a")).toMatchObject({ branchTurn: 3 });
  });

  test("five overlapping sweeps take each branch back once, each within its limit", async () => {
    const { store, moveClock, rowsOf } = bed();
    const keys = Array.from({ length: 20 }, (_, i) => `part ${i}`);
    const runs = await Promise.all(keys.map(() => forked(bed(), ["a"])));
    for (const run of runs) await claimBranch(bed(), run, "a");
    await moveClock(LEASE);
    expect(await store.reclaimBranches(5, 5)).toMatchObject({ swept: 5 });
    await Promise.all([1, 2, 3, 4, 5].map(() => store.reclaimBranches(50, 5)));
    await store.reclaimBranches(50, 5);
    for (const run of runs)
      expect(only(await rowsOf("branches", run))).toMatchObject({ turn: 2, lost_turns: 1 });
  });

  test("a branch that is due and has no wake-up under way gets one, once, and a lost one again after the grace", async () => {
    const { store, moveClock, startAndClaim } = bed();
    const run = await startAndClaim();
    const branches = [newBranch("now"), newBranch("soon", { due: { inMs: 2 * DAY } })];
    await store.commitTurns([parks(run, { branches })]);
    const due = async () =>
      (await store.collectDueBranches(10, MINUTE, 2 * MINUTE)).due.map(({ branch }) => branch);
    expect(await due()).toEqual([]);
    await moveClock(MINUTE);
    expect(await due()).toEqual(["now"]);
    expect(await due()).toEqual([]);
    await claimBranch(bed(), run, "now");
    await moveClock(2 * DAY - 2 * MINUTE);
    expect(await store.collectDueBranches(10, MINUTE, 2 * MINUTE)).toMatchObject({
      due: [{ ...ref(run), branch: "soon", wakeInMs: expect.closeTo(MINUTE, -4) }],
      swept: 1,
    });
    expect(await due()).toEqual([]);
    await moveClock(HOUR);
    expect(await due()).toEqual(["soon"]);
  });

  test("a sweep for wake-ups keeps to its limit, those that are due longest first", async () => {
    const { store, moveClock } = bed();
    const runs = [];
    for (let i = 0; i < 4; i++) {
      runs.push(await forked(bed(), ["a"]));
      await moveClock(1_000);
    }
    const swept = async () => (await store.collectDueBranches(2, 0, 0)).due.map(({ runId }) => runId).sort();
    expect(await swept()).toEqual(
      runs
        .slice(0, 2)
        .map(({ runId }) => runId)
        .sort(),
    );
    expect((await store.collectDueBranches(10, HOUR, 0)).swept).toBe(0);
  });
}
