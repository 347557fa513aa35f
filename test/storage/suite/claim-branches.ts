import { expect, test } from "vitest";
import { FOREIGN_LIMIT_MS } from "../../../src/engine/run.ts";
import type { Bed } from "../support/bed.ts";
import { boom, decision, entry, HOUR, LEASE, MINUTE, only, ref } from "../support/builders.ts";
import { branchOf, claimBranch, forked, newBranch, outcome, parks, signal } from "../support/family.ts";

export function claimBranchesSuite(bed: () => Bed): void {
  test("a claim takes the lease, raises the branch's turn and brings its run", async () => {
    const { store, rowsOf } = bed();
    const run = await forked(bed(), ["a"]);
    const { claimed, suspects } = await store.claimBranches([branchOf(run, "a")], LEASE);
    expect(suspects).toEqual([]);
    expect(claimed).toMatchObject([
      {
        ...branchOf(run, "a"),
        branchTurn: 1,
        attempt: 1,
        spent: 0,
        run: { ...ref(run), turn: 1, input: run.input },
      },
    ]);
    const row = only(await rowsOf("branches", run));
    expect(row).toMatchObject({
      turn: 1,
      wake_at: null,
      wake_up_sent_at: null,
      lease_expires_at: expect.any(Date),
    });
    expect((row.lease_expires_at as Date).getTime() - (claimed[0]?.run.now ?? 0)).toBe(LEASE);
  });

  test("I2: of two claims each branch goes to one, and its run is not touched", async () => {
    const { store, see } = bed();
    const keys = Array.from({ length: 20 }, (_, i) => `part ${i}`);
    const run = await forked(bed(), keys);
    const before = await see(run);
    const refs = keys.map((key) => branchOf(run, key));
    const batches = await Promise.all([1, 2, 3, 4].map(() => store.claimBranches(refs, LEASE)));
    const claimed = batches.flatMap((batch) => batch.claimed);
    expect(claimed.map(({ key }) => key).sort()).toEqual(keys.toSorted());
    expect(await see(run)).toEqual(before);
  });

  test("a due branch of a version that the deployment does not have is left alone and told of, for a day (J4)", async () => {
    const { store, rowsOf, moveClock } = bed();
    const run = await forked(bed(), ["a"], {}, { version: 2 });
    const branch = branchOf(run, "a");
    const before = await rowsOf("branches", run);
    const told = { ...ref(run), branch: "a", workflow: "ship", version: 2, overdueMs: expect.any(Number) };
    const nothing = { claimed: [], suspects: [], foreign: [told] };
    expect(await store.claimBranches([branch], LEASE, { ship: [1] })).toEqual(nothing);
    expect(await rowsOf("branches", run)).toEqual(before);
    await moveClock(FOREIGN_LIMIT_MS);
    expect((await store.claimBranches([branch], LEASE, { ship: [1] })).claimed).toMatchObject([branch]);
    expect(await store.claimBranches([branch], LEASE, { ship: [1] })).toMatchObject({
      claimed: [],
      foreign: [],
    });
  });

  test("the journal ends where the step was asked for, and nothing has arrived there", async () => {
    const { startAndClaim, claim, store } = bed();
    const run = await startAndClaim();
    await store.commitTurns([
      decision(run, { entries: [entry(1)], branches: [newBranch("early", { askedAt: 1 })] }),
    ]);
    const second = await claim(run);
    const more = { entries: [entry(2), entry(3)], branches: [newBranch("late", { askedAt: 3 })] };
    await store.commitTurns([parks(second, more)]);
    await store.deliverSignals("default", [signal(run, "paid")]);
    const [early, late] = [await claimBranch(bed(), run, "early"), await claimBranch(bed(), run, "late")];
    expect(early.run.journal.map(({ seq }) => seq)).toEqual([1]);
    expect(late.run.journal.map(({ seq }) => seq)).toEqual([1, 2, 3]);
    expect(late.run).toMatchObject({ inbox: [], waits: [], timers: [], branches: [], deliveries: 0 });
  });

  test("branches of one map share their run, those asked for elsewhere do not", async () => {
    const { startAndClaim, store } = bed();
    const run = await startAndClaim();
    const branches = [newBranch("a"), newBranch("b"), newBranch("c", { askedAt: 1 })];
    await store.commitTurns([parks(run, { entries: [entry(1)], branches })]);
    const { claimed } = await store.claimBranches(
      ["a", "b", "c"].map((key) => branchOf(run, key)),
      LEASE,
    );
    const [a, b, c] = claimed.toSorted((x, y) => (x.key < y.key ? -1 : 1));
    expect(a?.run).toBe(b?.run);
    expect(a?.run.journal).toEqual([]);
    expect(c?.run.journal).toHaveLength(1);
  });

  test("what is not due, held, another tenant's or not there is not claimed", async () => {
    const { startAndClaim, store } = bed();
    const run = await startAndClaim();
    const branches = [newBranch("later", { due: { inMs: HOUR } }), newBranch("held")];
    await store.commitTurns([parks(run, { branches })]);
    await claimBranch(bed(), run, "held");
    const asked = [
      branchOf(run, "later"),
      branchOf(run, "held"),
      branchOf(run, "nothing"),
      { ...branchOf(run, "later"), tenant: "other" },
      { ...branchOf(run, "later"), runId: "nobody" },
    ];
    expect(await store.claimBranches(asked, LEASE)).toEqual({ claimed: [], suspects: [] });
    expect(await store.claimBranches([], LEASE)).toEqual({ claimed: [], suspects: [] });
  });

  test("a branch asked for twice in one list is claimed once", async () => {
    const run = await forked(bed(), ["a"]);
    const twice = [branchOf(run, "a"), branchOf(run, "a")];
    expect((await bed().store.claimBranches(twice, LEASE)).claimed).toHaveLength(1);
  });

  test("of a run that is paused nothing is claimed until it is resumed", async () => {
    const { store } = bed();
    const run = await forked(bed(), ["a"]);
    await store.pauseRun(run);
    expect(await store.claimBranches([branchOf(run, "a")], LEASE)).toEqual({ claimed: [], suspects: [] });
    expect(await store.collectDueBranches(10, -HOUR, HOUR)).toEqual({ due: [], swept: 0 });
    const { due } = await store.resumeRun(run);
    expect(due).toContainEqual({ ...ref(run), branch: "a", wakeInMs: 0 });
    await claimBranch(bed(), run, "a");
  });

  test.each([
    ["is cancelled", (run: Parameters<typeof ref>[0]) => bed().store.cancelRun(run, false)],
    ["undoes what it did", (run: Parameters<typeof ref>[0]) => bed().store.cancelRun(run, true)],
  ])("of a run that %s nothing is claimed", async (_, move) => {
    const { store } = bed();
    const run = await forked(bed(), ["a"]);
    await move(run);
    expect(await store.claimBranches([branchOf(run, "a")], LEASE)).toEqual({ claimed: [], suspects: [] });
    expect(await store.collectDueBranches(10, -HOUR, HOUR)).toEqual({ due: [], swept: 0 });
  });

  test("of a dead run nothing is claimed until it is revived", async () => {
    const { store, claim } = bed();
    const run = await forked(bed(), ["a"]);
    await store.deliverSignals("default", [signal(run, "wake")]);
    await store.commitTurns([decision(await claim(run), { status: "dead" })]);
    expect(await store.claimBranches([branchOf(run, "a")], LEASE)).toEqual({ claimed: [], suspects: [] });
    const { due } = await store.reviveRun(run);
    expect(due).toEqual([
      { ...ref(run), wakeInMs: 0 },
      { ...ref(run), branch: "a", wakeInMs: 0 },
    ]);
    await claimBranch(bed(), run, "a");
  });

  test("a branch whose last turn was lost is named a suspect, and only claimSuspectBranch takes it", async () => {
    const { store, moveClock } = bed();
    const run = await forked(bed(), ["a", "b"]);
    await claimBranch(bed(), run, "a");
    await moveClock(LEASE);
    await store.reclaimBranches(10, 5);
    const suspect = branchOf(run, "a");
    expect(await store.claimSuspectBranch(suspect, LEASE)).toMatchObject({ claimed: [] });
    await moveClock(MINUTE);
    const { claimed, suspects } = await store.claimBranches([suspect, branchOf(run, "b")], LEASE);
    expect(claimed.map(({ key }) => key)).toEqual(["b"]);
    expect(suspects).toEqual([suspect]);
    expect((await store.claimSuspectBranch(branchOf(run, "b"), LEASE)).claimed).toEqual([]);
    expect((await store.claimSuspectBranch(suspect, LEASE)).claimed).toMatchObject([
      { branchTurn: 3, attempt: 1 },
    ]);
  });

  test("a suspect that comes to an outcome is a suspect no more", async () => {
    const { store, moveClock } = bed();
    const run = await forked(bed(), ["a"]);
    await claimBranch(bed(), run, "a");
    await moveClock(LEASE);
    await store.reclaimBranches(10, 5);
    await moveClock(MINUTE);
    const again = only((await store.claimSuspectBranch(branchOf(run, "a"), LEASE)).claimed);
    await store.commitBranches([outcome(again, { outcome: "retrying", failure: boom, retryInMs: 0 })]);
    expect(await claimBranch(bed(), run, "a")).toMatchObject({ attempt: 2, spent: 1 });
  });
}
