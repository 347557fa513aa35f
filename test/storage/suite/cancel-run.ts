import { expect, test } from "vitest";
import type { Bed } from "../support/bed.ts";
import { decision, HOUR, LEASE, only } from "../support/builders.ts";

export function cancelRunSuite(bed: () => Bed): void {
  test("a ready, a running and a waiting run are cancelled, and the turn is raised", async () => {
    const { start, startAndClaim, store, see, timers } = bed();
    const waiting = await startAndClaim();
    const sleep = { timers: [{ key: "nap", due: { inMs: HOUR } }] };
    await store.commitTurns([decision(waiting, { status: "waiting", wakeInMs: HOUR, ...sleep })]);
    const runs = [await start(), await startAndClaim(), waiting];
    for (const run of runs) {
      const before = await see(run);
      expect(await store.cancelRun(run, false)).toEqual({ result: "moved", due: [] });
      expect(await see(run)).toMatchObject({
        status: "cancelled",
        turn: before.turn + 1,
        wakeAt: null,
        leaseExpiresAt: null,
        failure: null,
        finishedAt: expect.any(Number),
      });
      expect(await timers(run)).toEqual([]);
    }
    expect(await store.claimRuns(runs, LEASE)).toEqual({ claimed: [], suspects: [] });
  });

  test("I3: a final run stays as it is, and the answer says what it is", async () => {
    const { startAndClaim, store, see, timers } = bed();
    for (const status of ["completed", "failed", "dead"] as const) {
      const run = await startAndClaim();
      const naps = status === "completed" ? [] : [{ key: "nap", due: { inMs: HOUR } }];
      await store.commitTurns([decision(run, { status, timers: naps })]);
      const before = await see(run);
      expect(await store.cancelRun(run, false)).toEqual({ result: status, due: [] });
      expect(await see(run)).toEqual(before);
      expect(await timers(run)).toEqual(naps.map(({ key }) => key));
    }
  });

  test("cancelling twice changes nothing", async () => {
    const { start, store, see } = bed();
    const run = await start();
    await store.cancelRun(run, false);
    const before = await see(run);
    expect(await store.cancelRun(run, false)).toEqual({ result: "unchanged", due: [] });
    expect(await see(run)).toEqual(before);
  });

  test("a run in the crash loop can be cancelled", async () => {
    const { startAndClaim, store, moveClock } = bed();
    const run = await startAndClaim();
    await moveClock(LEASE);
    only((await store.reclaimLeases(10, 5)).due);
    expect(await store.cancelRun(run, false)).toEqual({ result: "moved", due: [] });
    await moveClock(HOUR);
    expect(await store.claimSuspect(run, LEASE)).toEqual({ claimed: [], suspects: [] });
    expect(await store.collectDueRuns(10, 0, HOUR)).toEqual({ due: [], swept: 0 });
  });

  test("a run that is not there, or another tenant's, is not found and not touched", async () => {
    const { start, store, see } = bed();
    const run = await start();
    expect(await store.cancelRun({ ...run, tenant: "other" }, false)).toMatchObject({ result: "not_found" });
    expect(await store.cancelRun({ ...run, runId: "nobody" }, false)).toMatchObject({ result: "not_found" });
    expect(await see(run)).toMatchObject({ status: "ready", turn: 0 });
  });

  test("of a cancel and a commit at the same time one wins, and the answer says which (G3)", async () => {
    const { startAndClaim, store, see, timers } = bed();
    for (let i = 0; i < 20; i++) {
      const run = await startAndClaim();
      const [answer, committed] = await Promise.all([
        store.cancelRun(run, false),
        store.commitTurns([decision(run, { status: "completed" })]),
      ]);
      const { status } = await see(run);
      expect(answer.result).toBe(status === "cancelled" ? "moved" : status);
      expect(committed.turns).toHaveLength(status === "completed" ? 1 : 0);
      expect(await timers(run)).toEqual([]);
    }
  });
}
