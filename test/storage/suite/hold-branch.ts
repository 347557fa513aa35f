import { expect, test } from "vitest";
import type { Bed } from "../support/bed.ts";
import { LEASE, MINUTE, only } from "../support/builders.ts";
import { branchOf, claimBranch, forked } from "../support/family.ts";

export function holdBranchSuite(bed: () => Bed): void {
  test("a renewal moves the end of the lease, and no sweep takes the branch", async () => {
    const { store, moveClock } = bed();
    const run = await forked(bed(), ["a"]);
    const { branchTurn } = await claimBranch(bed(), run, "a");
    await moveClock(LEASE - 1_000);
    expect(await store.renewBranch(branchOf(run, "a"), branchTurn, LEASE)).toBe(true);
    await moveClock(LEASE - 1_000);
    expect(await store.reclaimBranches(10, 5)).toEqual({ due: [], swept: 0 });
    await moveClock(MINUTE);
    expect(await store.reclaimBranches(10, 5)).toMatchObject({ swept: 1 });
  });

  test("I2: only the branch's own turn is renewed and started, and only of that branch", async () => {
    const { store, everything } = bed();
    const run = await forked(bed(), ["a", "b"]);
    const { branchTurn } = await claimBranch(bed(), run, "a");
    const before = await everything();
    const refs = [
      [branchOf(run, "a"), branchTurn + 1],
      [branchOf(run, "a"), branchTurn - 1],
      [branchOf(run, "b"), 0],
      [{ ...branchOf(run, "a"), tenant: "other" }, branchTurn],
      [{ ...branchOf(run, "a"), runId: "nobody" }, branchTurn],
    ] as const;
    for (const [ref, turn] of refs) {
      expect(await store.renewBranch(ref, turn, LEASE)).toBe(false);
      expect(await store.startBranch(ref, turn)).toBe(false);
    }
    expect(await everything()).toEqual(before);
  });

  test("a start is noted and the lease stays", async () => {
    const { store, rowsOf } = bed();
    const run = await forked(bed(), ["a"]);
    const { branchTurn } = await claimBranch(bed(), run, "a");
    const before = only(await rowsOf("branches", run));
    expect(await store.startBranch(branchOf(run, "a"), branchTurn)).toBe(true);
    expect(await rowsOf("branches", run)).toEqual([{ ...before, started: true }]);
  });
}
