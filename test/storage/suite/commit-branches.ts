import { describe, expect, test } from "vitest";
import { encode } from "../../../src/engine/codec.ts";
import type { ClaimedBranch } from "../../../src/engine/run.ts";
import type { Bed } from "../support/bed.ts";
import { boom, DAY, decision, HOUR, LEASE, MINUTE, only, ref } from "../support/builders.ts";
import { branchOf, claimBranch, forked, inboxOf, outcome, parks, signal } from "../support/family.ts";

export function commitBranchesSuite(bed: () => Bed): void {
  test("an outcome stands in the inbox of its run, once, and the branch is gone", async () => {
    const { store, claim, rowsOf } = bed();
    const run = await forked(bed(), ["a"]);
    const branch = await claimBranch(bed(), run, "a");
    const given = outcome(branch, { output: encode({ at: new Date(7) }, "x"), tookMs: 40 });
    expect(await store.commitBranches([given])).toEqual([{ ...ref(run), wakeInMs: 0 }]);
    expect(await rowsOf("branches", run)).toEqual([]);
    const { inbox, branches } = await claim(run);
    expect(branches).toEqual([]);
    expect(inbox).toMatchObject([
      {
        kind: "branch",
        name: "a",
        outcome: "completed",
        attempt: 1,
        attempts: [],
        tookMs: 40,
        payload: given.output,
      },
    ]);
  });

  test.each(["failed", "dead"] as const)("a failure is delivered as it is: %s", async (how) => {
    const { store, claim } = bed();
    const run = await forked(bed(), ["a"]);
    await store.commitBranches([
      outcome(await claimBranch(bed(), run, "a"), { outcome: how, failure: boom }),
    ]);
    expect((await claim(run)).inbox).toMatchObject([{ outcome: how, failure: boom, payload: null }]);
  });

  test("of a run that only undoes what it did no attempt is made again: the branch goes, and the run hears of it", async () => {
    const { store, claim, rowsOf, see } = bed();
    const run = await forked(bed(), ["a"]);
    const branch = await claimBranch(bed(), run, "a");
    await store.cancelRun(ref(run), true);
    const verdict = { status: "cancelled", failure: null } as const;
    await store.commitTurns([parks(await claim(run), { verdict })]);
    expect(await see(run)).toMatchObject({ status: "waiting", wakeAt: null });
    const retry = outcome(branch, { outcome: "retrying", failure: boom, retryInMs: HOUR });
    expect(await store.commitBranches([retry])).toEqual([{ ...ref(run), wakeInMs: 0 }]);
    expect(await rowsOf("branches", run)).toEqual([]);
    expect((await claim(run)).inbox).toEqual([]);
  });

  test("an attempt that is to be followed by another stays with the branch, and its run hears nothing", async () => {
    const { store, see, rowsOf, moveClock, claim } = bed();
    const run = await forked(bed(), ["a"]);
    const first = await claimBranch(bed(), run, "a");
    const retry = outcome(first, { outcome: "retrying", failure: boom, retryInMs: HOUR });
    expect(await store.commitBranches([retry])).toEqual([{ ...wakeUpOf(run, "a"), wakeInMs: HOUR }]);
    expect(await see(run)).toMatchObject({ status: "waiting", wakeAt: null });
    expect(only(await rowsOf("branches", run))).toMatchObject({
      attempt: 2,
      spent: 1,
      lease_expires_at: null,
    });
    await moveClock(HOUR);
    const second = await claimBranch(bed(), run, "a");
    expect(second).toMatchObject({ attempt: 2, spent: 1, branchTurn: 2 });
    await store.commitBranches([outcome(second)]);
    expect((await claim(run)).inbox).toMatchObject([
      { attempt: 2, attempts: [{ attempt: 1, failure: boom, tookMs: 5, atMs: expect.any(Number) }] },
    ]);
  });

  test("a retry that comes later than the queue can delay is the sweep's to wake", async () => {
    const { store, rowsOf, moveClock } = bed();
    const run = await forked(bed(), ["a"]);
    const late = { outcome: "retrying", failure: boom, retryInMs: 2 * DAY } as const;
    await store.commitBranches([outcome(await claimBranch(bed(), run, "a"), late)]);
    expect(only(await rowsOf("branches", run)).wake_up_sent_at).toBeNull();
    await moveClock(2 * DAY - MINUTE);
    expect((await store.collectDueBranches(10, MINUTE, 2 * MINUTE)).due).toMatchObject([{ branch: "a" }]);
  });

  test("only the delivery that makes a parked run due asks for a wake-up", async () => {
    const { store } = bed();
    const run = await forked(bed(), ["a", "b", "c"]);
    const branches = [];
    for (const key of ["a", "b", "c"]) branches.push(await claimBranch(bed(), run, key));
    const asked = [];
    for (const branch of branches) asked.push(await store.commitBranches([outcome(branch)]));
    expect(asked).toEqual([[{ ...ref(run), wakeInMs: 0 }], [], []]);
  });

  test("outcomes of one run that come together ask for one wake-up", async () => {
    const { store, claim } = bed();
    const keys = Array.from({ length: 30 }, (_, i) => `part ${i}`);
    const run = await forked(bed(), keys);
    const refs = keys.map((key) => branchOf(run, key));
    const { claimed } = await store.claimBranches(refs, LEASE);
    const outcomes = claimed.map((branch) => outcome(branch));
    expect(await store.commitBranches(outcomes)).toEqual([{ ...ref(run), wakeInMs: 0 }]);
    const turn = await claim(run);
    expect(turn).toMatchObject({ deliveries: 30 });
    expect(turn.inbox).toHaveLength(30);
  });

  test("I4: a delivery during a turn keeps the run from being parked", async () => {
    const { store, claim, commit } = bed();
    const run = await forked(bed(), ["a"]);
    const branch = await claimBranch(bed(), run, "a");
    await store.deliverSignals("default", [signal(run, "wake")]);
    const turn = await claim(run);
    expect(await store.commitBranches([outcome(branch)])).toEqual([]);
    expect(await commit([parks(turn)])).toMatchObject([{ status: "ready", wakeInMs: 0 }]);
  });

  test("no outcomes are a commit of nothing", async () => {
    expect(await bed().store.commitBranches([])).toEqual([]);
  });

  test("an outcome that a transaction has delivered already only asks for the wake-up", async () => {
    const { store, rowsOf } = bed();
    const run = await forked(bed(), ["a"]);
    const branch = await claimBranch(bed(), run, "a");
    expect(await store.commitBranches([outcome(branch, { outcome: "delivered" })])).toEqual([
      { ...ref(run), wakeInMs: 0 },
    ]);
    expect(await rowsOf("branches", run)).toHaveLength(1);
  });

  describe("I2: an outcome of a turn that has moved on writes nothing", () => {
    const movedOn: readonly [string, (branch: ClaimedBranch) => Promise<unknown>][] = [
      [
        "a reclaim",
        async () => {
          await bed().moveClock(LEASE);
          return bed().store.reclaimBranches(10, 5);
        },
      ],
      [
        "a reclaim and the next claim",
        async (branch) => {
          await bed().moveClock(LEASE);
          await bed().store.reclaimBranches(10, 5);
          await bed().moveClock(MINUTE);
          return bed().store.claimSuspectBranch(branchOf(branch, branch.key), LEASE);
        },
      ],
      [
        "a reclaim that gave up",
        async () => {
          await bed().moveClock(LEASE);
          return bed().store.reclaimBranches(10, 1);
        },
      ],
      ["a cancel of its run", (branch) => bed().store.cancelRun(branch, false)],
      ["its own outcome", (branch) => bed().store.commitBranches([outcome(branch)])],
    ];
    test.each(movedOn)("after %s", async (_, moveOn) => {
      const { store, everything } = bed();
      const run = await forked(bed(), ["a", "b"]);
      const zombie = await claimBranch(bed(), run, "a");
      await moveOn(zombie);
      const before = await everything();
      for (const how of ["completed", "failed", "dead", "retrying"] as const) {
        const late = outcome(zombie, {
          outcome: how,
          failure: how === "completed" ? null : boom,
          retryInMs: 0,
        });
        await store.commitBranches([late]);
      }
      expect(await store.renewBranch(branchOf(run, "a"), zombie.branchTurn, HOUR)).toBe(false);
      expect(await store.startBranch(branchOf(run, "a"), zombie.branchTurn)).toBe(false);
      expect(await everything()).toEqual(before);
    });

    test("in a batch it is left out, and its neighbours are delivered", async () => {
      const { store } = bed();
      const [gone, run] = [await forked(bed(), ["a"]), await forked(bed(), ["a"])];
      const [zombie, alive] = [await claimBranch(bed(), gone, "a"), await claimBranch(bed(), run, "a")];
      await store.cancelRun(gone, false);
      expect(await store.commitBranches([outcome(zombie), outcome(alive)])).toEqual([
        { ...ref(run), wakeInMs: 0 },
      ]);
      expect([await inboxOf(bed(), gone), await inboxOf(bed(), run)]).toEqual([[], ["branch a completed"]]);
    });

    test("a branch that nobody holds takes no outcome", async () => {
      const { store, everything } = bed();
      const run = await forked(bed(), ["a"]);
      const never = {
        ...(await claimBranch(bed(), await forked(bed(), ["a"]), "a")),
        ...ref(run),
        branchTurn: 0,
      };
      const before = await everything();
      expect(await store.commitBranches([outcome(never)])).toEqual([]);
      expect(await everything()).toEqual(before);
    });
  });

  describe("an answer that was lost", () => {
    test("is given again, and nothing is written twice: an outcome", async () => {
      const { store, everything } = bed();
      const run = await forked(bed(), ["a"]);
      const same = outcome(await claimBranch(bed(), run, "a"));
      const first = await store.commitBranches([same]);
      const before = await everything();
      expect(await store.commitBranches([same])).toEqual(first);
      expect(await everything()).toEqual(before);
    });

    test("is given again, and nothing is written twice: a retry", async () => {
      const { store, everything } = bed();
      const run = await forked(bed(), ["a"]);
      const branch = await claimBranch(bed(), run, "a");
      const same = outcome(branch, { outcome: "retrying", failure: boom, retryInMs: HOUR });
      await store.commitBranches([same]);
      const before = await everything();
      const [again] = await store.commitBranches([same]);
      expect(again).toMatchObject({ ...ref(run), branch: "a" });
      expect(again?.wakeInMs).toBeGreaterThan(HOUR - MINUTE);
      expect(await everything()).toEqual(before);
    });

    test("wakes nobody once the run has taken what was delivered", async () => {
      const { store, claim } = bed();
      const run = await forked(bed(), ["a", "b"]);
      const same = outcome(await claimBranch(bed(), run, "a"));
      await store.commitBranches([same]);
      const turn = await claim(run);
      await store.commitTurns([parks(turn, { consumed: turn.inbox.map(({ id }) => ({ id, key: "a" })) })]);
      expect(await store.commitBranches([same])).toEqual([]);
    });

    test("given to four at once, the outcome is delivered once", async () => {
      const { store } = bed();
      const run = await forked(bed(), ["a"]);
      const same = outcome(await claimBranch(bed(), run, "a"));
      await Promise.all([1, 2, 3, 4].map(() => store.commitBranches([same])));
      expect(await inboxOf(bed(), run)).toEqual(["branch a completed"]);
    });
  });

  test("an outcome for a dead run waits until it is revived", async () => {
    const { store, claim } = bed();
    const run = await forked(bed(), ["a"]);
    const branch = await claimBranch(bed(), run, "a");
    await store.deliverSignals("default", [signal(run, "wake")]);
    await store.commitTurns([decision(await claim(run), { status: "dead" })]);
    expect(await store.commitBranches([outcome(branch)])).toEqual([]);
    await store.reviveRun(run);
    expect((await claim(run)).inbox.map(({ kind }) => kind)).toEqual(["signal", "branch"]);
  });
}

/** A branch as a wake-up names it. */
function wakeUpOf(run: Parameters<typeof ref>[0], key: string) {
  return { ...ref(run), branch: key };
}
