import { expect, test } from "vitest";
import type { ClaimedRun, RunRef } from "../../../src/engine/run.ts";
import type { Bed } from "../support/bed.ts";
import { decision, HOUR, LEASE, MINUTE, only, ref } from "../support/builders.ts";
import { withChild } from "../support/family.ts";

export function reclaimLeasesSuite(bed: () => Bed): void {
  /** Loses the turn that the run is in, and is due again. */
  const loseTurn = async (run: RunRef, limit = 100): Promise<ClaimedRun> => {
    const { store, moveClock } = bed();
    await moveClock(LEASE);
    await store.reclaimLeases(10, limit);
    await moveClock(MINUTE);
    return only((await store.claimSuspect(run, LEASE)).claimed);
  };

  test("only an expired lease is taken back: the run is ready in a new turn and one more is lost", async () => {
    const { startAndClaim, store, see, moveClock } = bed();
    const run = await startAndClaim();
    await moveClock(LEASE - 5_000);
    expect(await store.reclaimLeases(10, 5)).toEqual({ due: [], swept: 0 });
    await moveClock(5_000);
    const { due, swept } = await store.reclaimLeases(10, 5);
    expect({ due: due.map(ref), swept }).toEqual({ due: [ref(run)], swept: 1 });
    expect(await see(run)).toMatchObject({ status: "ready", turn: 2, lostTurns: 1, leaseExpiresAt: null });
  });

  test("every further loss is spaced out more, up to a minute, with jitter", async () => {
    const { startAndClaim, store, see, moveClock } = bed();
    let run = await startAndClaim();
    const seconds = [1, 2, 4, 8, 16, 32, 60, 60];
    for (const [i, second] of seconds.entries()) {
      await moveClock(LEASE);
      const [due] = (await store.reclaimLeases(10, 100)).due;
      expect(due?.wakeInMs).toBeGreaterThanOrEqual(second * 750);
      expect(due?.wakeInMs).toBeLessThanOrEqual(second * 1_000);
      expect(await see(run)).toMatchObject({ lostTurns: i + 1, turn: 2 * (i + 1) });
      await moveClock(MINUTE);
      run = only((await store.claimSuspect(run, LEASE)).claimed);
    }
  });

  test("runs that were lost together are not due together", async () => {
    const { startAndClaim, store, moveClock } = bed();
    await Promise.all(Array.from({ length: 10 }, () => startAndClaim()));
    await moveClock(LEASE);
    const { due } = await store.reclaimLeases(10, 5);
    expect(new Set(due.map(({ wakeInMs }) => wakeInMs)).size).toBeGreaterThan(1);
  });

  test("I12: at the limit the run is dead, by name, and not to be woken", async () => {
    const { startAndClaim, store, moveClock, see, reads } = bed();
    const run = await loseTurn(await startAndClaim(), 2);
    await moveClock(LEASE);
    expect(await store.reclaimLeases(10, 2)).toEqual({ due: [], swept: 1 });
    const seen = await see(run);
    expect(seen).toMatchObject({ status: "dead", lostTurns: 2, turn: 4, wakeAt: null });
    expect(seen.failure).toMatchObject({ code: "lost_turns_exhausted", name: "LostTurnsExhausted" });
    expect(seen.failure?.message).toContain("lost 2 turns in a row");
    expect(seen.failure?.stack).toBeUndefined();
    expect((await reads.deadLetters("default", {}, 10, null)).map(ref)).toEqual([ref(run)]);
    await moveClock(HOUR);
    expect(await store.reclaimLeases(10, 2)).toEqual({ due: [], swept: 0 });
  });

  test("I12: the count is of losses in a row", async () => {
    const { startAndClaim, claim, store, see } = bed();
    let run: ClaimedRun = await startAndClaim();
    for (let i = 0; i < 3; i++) {
      run = await loseTurn(run, 2);
      await store.commitTurns([decision(run)]);
      run = await claim(run);
    }
    expect(await see(run)).toMatchObject({ status: "running", lostTurns: 0 });
  });

  test("a sweep looks after as many as its limit, those that waited longest first", async () => {
    const { startAndClaim, store, moveClock } = bed();
    const ids: string[] = [];
    for (let i = 0; i < 5; i++) {
      ids.push((await startAndClaim()).runId);
      await moveClock(1_000);
    }
    await moveClock(LEASE);
    for (const expected of [ids.slice(0, 2), ids.slice(2, 4), ids.slice(4), []]) {
      const { due, swept } = await store.reclaimLeases(2, 5);
      expect(due.map(({ runId }) => runId).sort()).toEqual(expected.sort());
      expect(swept).toBe(expected.length);
    }
  });

  test("the runs that became dead count as looked after", async () => {
    const { startAndClaim, store, moveClock } = bed();
    await Promise.all([startAndClaim(), startAndClaim()]);
    await moveClock(LEASE);
    expect(await store.reclaimLeases(2, 1)).toEqual({ due: [], swept: 2 });
  });

  test("five overlapping sweeps take each lease back once", async () => {
    const { startAndClaim, store, moveClock, see } = bed();
    const runs = await Promise.all(Array.from({ length: 20 }, () => startAndClaim()));
    await moveClock(LEASE);
    const sweeps = await Promise.all([1, 2, 3, 4, 5].map(() => store.reclaimLeases(50, 5)));
    expect(sweeps.reduce((sum, { swept }) => sum + swept, 0)).toBe(20);
    expect(new Set(sweeps.flatMap(({ due }) => due.map(({ runId }) => runId))).size).toBe(20);
    const seen = await Promise.all(runs.map(see));
    expect(seen.every(({ turn, lostTurns }) => turn === 2 && lostTurns === 1)).toBe(true);
  });

  test.each([1, 2, 7])(
    "a run that cannot be changed is told of, and %i others are taken back all the same (E7)",
    async (count) => {
      const { startAndClaim, store, moveClock, see, corrupt } = bed();
      const others: ClaimedRun[] = [];
      for (let i = 0; i < count; i++) others.push(await startAndClaim());
      const [bad, worse] = [await startAndClaim(), await startAndClaim()];
      await corrupt(bad);
      await corrupt(worse);
      const before = await see(bad);
      await moveClock(LEASE);
      const { due, swept, refused } = await store.reclaimLeases(100, 5);
      expect(due.map(({ runId }) => runId).sort()).toEqual(others.map(({ runId }) => runId).sort());
      expect(swept).toBe(count);
      expect(refused).toEqual([bad, worse].map((run) => ({ ...ref(run), error: expect.any(Error) })));
      expect(await see(bad)).toEqual(before);
      for (const run of others) expect(await see(run)).toMatchObject({ status: "ready", lostTurns: 1 });
      const again = await store.reclaimLeases(100, 5);
      expect(again).toMatchObject({ due: [], swept: 0, refused: [{ ...ref(bad) }, { ...ref(worse) }] });
    },
  );

  test("a parent hears of a child that is dead although another child's row cannot be changed (E7)", async () => {
    const { startAndClaim, store, moveClock, corrupt, claim, see } = bed();
    const families = [await withChild(bed()), await withChild(bed())];
    for (const { child } of families) await claim(child);
    const bad = await startAndClaim();
    await corrupt(bad);
    await moveClock(LEASE);
    const { due, refused } = await store.reclaimLeases(100, 1);
    expect(refused?.map(ref)).toEqual([ref(bad)]);
    expect(due.map(({ runId }) => runId).sort()).toEqual(families.map(({ parent }) => parent.runId).sort());
    for (const { child } of families) expect(await see(child)).toMatchObject({ status: "dead" });
  });

  test("timers stay, and the run is not stuck while it is spaced out past one", async () => {
    const { startAndClaim, claim, store, moveClock, timers, stuckRuns } = bed();
    const run = await startAndClaim();
    await store.commitTurns([decision(run, { timers: [{ key: "nap", due: { inMs: 1_000 } }] })]);
    await claim(run);
    await moveClock(LEASE);
    await store.reclaimLeases(10, 5);
    expect(await timers(run)).toEqual(["nap"]);
    expect(await stuckRuns()).toEqual([]);
  });

  test("a run is not spaced out past its deadline", async () => {
    const { startAndClaim, store, moveClock, see } = bed();
    const soon = await startAndClaim({ deadlineInMs: LEASE + 100 });
    const past = await startAndClaim({ deadlineInMs: LEASE / 2 });
    await moveClock(LEASE);
    const { due } = await store.reclaimLeases(10, 5);
    expect(due.every(({ wakeInMs }) => wakeInMs <= 100)).toBe(true);
    expect((await see(soon)).wakeAt).toBe(soon.deadlineAt);
    expect((await see(past)).wakeAt).toBe(past.deadlineAt);
  });

  test("the wake-up of a reclaimed run is sent by the sweep and not again before the grace", async () => {
    const { startAndClaim, store, moveClock } = bed();
    const run = await startAndClaim();
    await moveClock(LEASE);
    await store.reclaimLeases(10, 5);
    expect((await store.collectDueRuns(10, MINUTE, HOUR)).due).toEqual([]);
    await moveClock(MINUTE + 1_000);
    expect((await store.collectDueRuns(10, MINUTE, HOUR)).due.map(ref)).toEqual([ref(run)]);
  });

  test("every tenant's leases are swept", async () => {
    const { startAndClaim, store, moveClock } = bed();
    await startAndClaim({ id: "same" }, "a");
    await startAndClaim({ id: "same" }, "b");
    await moveClock(LEASE);
    const { due } = await store.reclaimLeases(10, 5);
    expect(due.map(({ tenant }) => tenant).sort()).toEqual(["a", "b"]);
  });
}
