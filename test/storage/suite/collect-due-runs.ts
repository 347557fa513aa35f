import { expect, test } from "vitest";
import type { Bed } from "../support/bed.ts";
import { DAY, decision, HOUR, LEASE, MINUTE, ref } from "../support/builders.ts";

const GRACE = MINUTE;
/** The time between two ticks, with some room. */
const HORIZON = 2 * MINUTE;

export function collectDueRunsSuite(bed: () => Bed): void {
  const collect = async (limit = 10) => {
    const { due, swept } = await bed().store.collectDueRuns(limit, GRACE, HORIZON);
    expect(swept).toBe(due.length);
    return due;
  };

  test("a due run that nobody claimed is woken after the grace, and again after the next", async () => {
    const { start, moveClock } = bed();
    const run = await start();
    expect(await collect()).toEqual([]);
    await moveClock(GRACE - 5_000);
    expect(await collect()).toEqual([]);
    await moveClock(5_000);
    expect(await collect()).toEqual([{ ...run, wakeInMs: 0 }]);
    expect(await collect()).toEqual([]);
    await moveClock(GRACE - 5_000);
    expect(await collect()).toEqual([]);
    await moveClock(5_000);
    expect(await collect()).toEqual([{ ...run, wakeInMs: 0 }]);
  });

  test("the grace of a sleeping run counts from when it is due, not from when it was sent", async () => {
    const { start, moveClock } = bed();
    const run = await start({ delayMs: HOUR });
    await moveClock(HOUR);
    expect(await collect()).toEqual([]);
    await moveClock(GRACE);
    expect(await collect()).toEqual([{ ...run, wakeInMs: 0 }]);
  });

  test("a run that sleeps for longer than a day is woken once, shortly before it is due", async () => {
    const { startAndClaim, store, moveClock, claim } = bed();
    const run = await startAndClaim();
    await store.commitTurns([decision(run, { status: "waiting", wakeInMs: 3 * DAY })]);
    await moveClock(3 * DAY - HORIZON - MINUTE);
    expect(await collect()).toEqual([]);
    await moveClock(MINUTE + 1_000);
    const [due, ...others] = await collect();
    expect(others).toEqual([]);
    expect(due).toMatchObject(ref(run));
    expect(due?.wakeInMs).toBeGreaterThan(HORIZON - MINUTE);
    expect(due?.wakeInMs).toBeLessThanOrEqual(HORIZON);
    expect(await collect()).toEqual([]);
    await moveClock(HORIZON);
    await claim(run);
    expect(await collect()).toEqual([]);
  });

  test("a run that sleeps for less than a day is left to its own wake-up", async () => {
    const { startAndClaim, store, moveClock } = bed();
    const run = await startAndClaim();
    await store.commitTurns([decision(run, { status: "waiting", wakeInMs: DAY - HOUR })]);
    await moveClock(DAY - HOUR);
    expect(await collect()).toEqual([]);
  });

  test("a far deadline counts like a sleep", async () => {
    const { startAndClaim, store, moveClock } = bed();
    const run = await startAndClaim({ deadlineInMs: HOUR });
    await store.commitTurns([decision(run, { status: "waiting", wakeInMs: 3 * DAY })]);
    await moveClock(HOUR);
    expect(await collect()).toEqual([]);
    await moveClock(GRACE);
    expect((await collect()).map(ref)).toEqual([ref(run)]);
  });

  test("what is held or final needs no wake-up", async () => {
    const { startAndClaim, start, store, moveClock } = bed();
    await startAndClaim();
    const cancelled = await start();
    await store.cancelRun(cancelled, false);
    for (const status of ["completed", "failed", "dead"] as const) {
      await store.commitTurns([decision(await startAndClaim(), { status })]);
    }
    await moveClock(DAY);
    expect(await collect()).toEqual([]);
  });

  test("a sweep takes as many as its limit, the longest due first (B12)", async () => {
    const { start, moveClock } = bed();
    const runs = [];
    for (let i = 0; i < 5; i++) runs.push(await start({ delayMs: i * 1_000 }));
    await moveClock(HOUR);
    const taken = [];
    for (const expected of [2, 2, 1, 0]) {
      const due = await collect(2);
      expect(due).toHaveLength(expected);
      taken.push(new Set(due.map(({ runId }) => runId)));
    }
    expect(taken.slice(0, 3)).toEqual(
      [runs.slice(0, 2), runs.slice(2, 4), runs.slice(4)].map(
        (few) => new Set(few.map(({ runId }) => runId)),
      ),
    );
  });

  test("five overlapping sweeps wake each run once", async () => {
    const { start, store, moveClock } = bed();
    await Promise.all(Array.from({ length: 20 }, () => start()));
    await moveClock(HOUR);
    const sweeps = await Promise.all([1, 2, 3, 4, 5].map(() => store.collectDueRuns(50, GRACE, HORIZON)));
    const due = sweeps.flatMap((sweep) => sweep.due.map(({ runId }) => runId));
    expect(due).toHaveLength(20);
    expect(new Set(due).size).toBe(20);
  });

  test("a suspect is woken like any other", async () => {
    const { startAndClaim, store, moveClock } = bed();
    const run = await startAndClaim();
    await moveClock(LEASE);
    await store.reclaimLeases(10, 5);
    await moveClock(HOUR);
    expect((await collect()).map(ref)).toEqual([ref(run)]);
  });

  test("collecting changes nothing else of a run, and it can be claimed as before", async () => {
    const { start, moveClock, see, claim } = bed();
    const run = await start();
    await moveClock(HOUR);
    const before = await see(run);
    await collect();
    expect(await see(run)).toEqual(before);
    expect(await claim(run)).toMatchObject({ turn: 1 });
  });

  test("every tenant's runs are woken", async () => {
    const { start, moveClock } = bed();
    await start({ id: "same" }, "a");
    await start({ id: "same" }, "b");
    await moveClock(HOUR);
    expect((await collect()).map(({ tenant }) => tenant).sort()).toEqual(["a", "b"]);
  });
}
