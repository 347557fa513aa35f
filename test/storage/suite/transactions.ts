import { expect, test } from "vitest";
import { encode } from "../../../src/engine/codec.ts";
import type { CloudEvent } from "../../../src/engine/event.ts";
import type { ClaimedBranch } from "../../../src/engine/run.ts";
import type { Bed } from "../support/bed.ts";
import { LEASE } from "../support/builders.ts";
import { claimBranch, forked, inboxOf, outcome } from "../support/family.ts";

/** What a transaction tells its run; what its body writes is for the tests on Postgres. */
export function transactionsSuite(bed: () => Bed): void {
  const paid: CloudEvent = { id: "1", type: "paid", subject: null, data: null };
  const given = { output: encode(7, "The output"), events: [paid] };

  /** A run that waits for its branch, which is held. */
  async function held(): Promise<ClaimedBranch> {
    const run = await forked(bed(), ["pay"]);
    return claimBranch(bed(), run, "pay");
  }

  const transact = (branch: ClaimedBranch, work = async () => given, signal = new AbortController().signal) =>
    bed().transactions.run(branch, "read committed", signal, work);

  test("the run is told and due, the event is there and the branch is gone, all at once", async () => {
    const branch = await held();
    expect(await transact(branch)).toBe(true);
    expect(await bed().rowsOf("branches", branch)).toEqual([]);
    expect(await bed().reads.event("default", "1")).toMatchObject({ type: "paid", runId: branch.runId });
    expect((await bed().claim(branch)).inbox).toMatchObject([
      { kind: "branch", name: "pay", outcome: "completed", attempt: 1, payload: given.output },
    ]);
  });

  test("an event that is there already stays as it is", async () => {
    await transact(await held());
    const other = await held();
    expect(await transact(other)).toBe(true);
    expect(await bed().reads.event("default", "1")).not.toMatchObject({ runId: other.runId });
  });

  test("I2: of a lease that was lost nothing is written", async () => {
    const branch = await held();
    await bed().moveClock(LEASE);
    await bed().store.reclaimBranches(10, 5);
    const before = await bed().everything();
    expect(await transact(branch)).toBe(false);
    expect(await bed().everything()).toEqual(before);
  });

  test("told by a commit before, it is not told again", async () => {
    const branch = await held();
    await bed().store.commitBranches([outcome(branch)]);
    expect(await transact(branch)).toBe(false);
    expect(await inboxOf(bed(), branch)).toEqual(["branch pay completed"]);
  });

  test("a body that throws, and a signal that aborts, leave the branch to its holder", async () => {
    const branch = await held();
    const before = await bed().everything();
    const fails = async () => {
      throw new Error("no money");
    };
    await expect(transact(branch, fails)).rejects.toThrow("no money");
    const aborted = AbortSignal.abort(new Error("lost"));
    await expect(transact(branch, undefined, aborted)).rejects.toThrow("lost");
    expect(await bed().everything()).toEqual(before);
  });
}
