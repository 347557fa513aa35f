import { expect, test } from "vitest";
import type { Bed } from "../support/bed.ts";
import { decision, HOUR, ref } from "../support/builders.ts";

export function discardRunSuite(bed: () => Bed): void {
  test.each(["failed", "dead"] as const)("a %s run leaves the dead letters and stays", async (status) => {
    const { startAndClaim, store, reads, see } = bed();
    const run = await startAndClaim();
    await store.commitTurns([decision(run, { status })]);
    expect((await reads.deadLetters("default", {}, 10, null)).map(ref)).toEqual([ref(run)]);
    const before = await see(run);
    expect(await store.discardRun(run)).toBe("discarded");
    expect(await reads.deadLetters("default", {}, 10, null)).toEqual([]);
    const { discardedAt, ...rest } = await see(run);
    expect({ ...rest, discardedAt: null }).toEqual(before);
    expect(discardedAt).toBeGreaterThanOrEqual(run.now);
  });

  test("discarding twice keeps the time of the first", async () => {
    const { startAndClaim, store, see, moveClock } = bed();
    const run = await startAndClaim();
    await store.commitTurns([decision(run, { status: "dead" })]);
    await store.discardRun(run);
    const before = await see(run);
    await moveClock(HOUR);
    expect(await store.discardRun(run)).toBe("discarded");
    expect(await see(run)).toEqual(before);
  });

  test("a run that is no dead letter is left alone, and the answer says what it is", async () => {
    const { start, startAndClaim, store, see } = bed();
    const completed = await startAndClaim();
    await store.commitTurns([decision(completed, { status: "completed" })]);
    const cancelled = await start();
    await store.cancelRun(cancelled, false);
    for (const run of [await start(), await startAndClaim(), completed, cancelled]) {
      const before = await see(run);
      expect(await store.discardRun(run)).toBe(before.status);
      expect(await see(run)).toEqual(before);
    }
  });

  test("a run that is not there, or another tenant's, is not found", async () => {
    const { startAndClaim, store, see } = bed();
    const run = await startAndClaim();
    await store.commitTurns([decision(run, { status: "dead" })]);
    expect(await store.discardRun({ ...run, tenant: "other" })).toBe("not_found");
    expect(await store.discardRun({ ...run, runId: "nobody" })).toBe("not_found");
    expect((await see(run)).discardedAt).toBeNull();
  });
}
