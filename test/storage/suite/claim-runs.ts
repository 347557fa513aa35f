import { expect, test } from "vitest";
import { encode } from "../../../src/engine/codec.ts";
import { FOREIGN_LIMIT_MS } from "../../../src/engine/run.ts";
import type { Bed } from "../support/bed.ts";
import { decision, entry, HOUR, LEASE, MINUTE, newRun, ref, retryingEntry } from "../support/builders.ts";

export function claimRunsSuite(bed: () => Bed): void {
  test("a claim takes the lease, raises the turn and brings what the turn needs", async () => {
    const { start, store, see } = bed();
    const run = await start({ tags: ["red"], deadlineInMs: HOUR, input: encode({ n: 1n }, "x") });
    const { claimed, suspects } = await store.claimRuns([run], LEASE);
    const seen = await see(run);
    expect(suspects).toEqual([]);
    expect(claimed).toEqual([
      {
        ...run,
        workflow: "ship",
        version: 1,
        turn: 1,
        deliveries: 0,
        tags: ["red"],
        input: encode({ n: 1n }, "x"),
        now: seen.startedAt,
        startedAt: seen.startedAt,
        deadlineAt: seen.createdAt + HOUR,
        journal: [],
        timers: [],
        parent: null,
        verdict: null,
        failedCompensations: 0,
        journalBytes: 0,
        waits: [],
        branches: [],
        inbox: [],
        partial: false,
      },
    ]);
    expect(seen).toMatchObject({ status: "running", turn: 1, wakeAt: null });
    expect((seen.leaseExpiresAt ?? 0) - (seen.startedAt ?? 0)).toBe(LEASE);
  });

  test("the journal comes whole, in order and with every field, and so do the timers", async () => {
    const { startAndClaim, claim, store } = bed();
    const run = await startAndClaim();
    const entries = [
      entry(1, { output: null }),
      entry(2, { output: encode(null, "x") }),
      entry(3, { output: encode(new Date(5), "x") }),
      retryingEntry(4, { retryInMs: MINUTE }),
    ];
    const timers = [
      { key: "late", due: { inMs: 2 * HOUR } },
      { key: "soon", due: { at: 1_000 } },
    ];
    await store.commitTurns([decision(run, { entries, timers })]);
    const again = await claim(run);
    const expected = entries.map(({ tookMs: _, retryInMs, ...fields }) => ({
      ...fields,
      retryAt: retryInMs === null ? null : expect.closeTo(run.now + MINUTE, -4),
    }));
    expect(again.journal).toEqual(expected);
    expect(again.timers).toEqual([
      { key: "soon", begunAt: expect.any(Number), dueAt: 1_000 },
      { key: "late", begunAt: expect.any(Number), dueAt: expect.closeTo(run.now + 2 * HOUR, -4) },
    ]);
  });

  test("what is not due, held, final, unknown or another tenant's is not claimed", async () => {
    const { start, startAndClaim, store } = bed();
    const waiting = await startAndClaim();
    await store.commitTurns([decision(waiting, { status: "waiting", wakeInMs: HOUR })]);
    const finals = [];
    for (const status of ["completed", "failed", "dead"] as const) {
      const run = await startAndClaim();
      await store.commitTurns([decision(run, { status })]);
      finals.push(run);
    }
    const cancelled = await start();
    await store.cancelRun(cancelled, false);
    const held = await startAndClaim();
    const others = { ...(await start()), tenant: "other" };
    const unknown = { tenant: "default", runId: "nobody" };
    const later = await start({ delayMs: 1_000 });
    const asked = [waiting, ...finals, cancelled, held, others, unknown, later].map(ref);
    expect(await store.claimRuns(asked, LEASE)).toEqual({ claimed: [], suspects: [] });
  });

  test("a waiting run is claimed once it is due", async () => {
    const { startAndClaim, claim, store, moveClock } = bed();
    const run = await startAndClaim();
    await store.commitTurns([decision(run, { status: "waiting", wakeInMs: HOUR })]);
    await moveClock(HOUR);
    expect(await claim(run)).toMatchObject({ turn: 2, startedAt: run.startedAt });
  });

  test("a run asked for twice in one list is claimed once", async () => {
    const { start, store } = bed();
    const run = await start();
    expect((await store.claimRuns([run, run, run], LEASE)).claimed).toHaveLength(1);
  });

  test("of two claims for the same runs each run goes to one", async () => {
    const { start, store } = bed();
    const runs = await Promise.all(Array.from({ length: 30 }, () => start()));
    const batches = await Promise.all(
      Array.from({ length: 6 }, (_, i) => store.claimRuns(i % 2 ? runs : runs.toReversed(), LEASE)),
    );
    const claimed = batches.flatMap((batch) => batch.claimed);
    expect(claimed).toHaveLength(30);
    expect(new Set(claimed.map(({ runId }) => runId)).size).toBe(30);
    expect(claimed.every(({ turn }) => turn === 1)).toBe(true);
  });

  test("no runs are a batch of no runs", async () => {
    expect(await bed().store.claimRuns([], LEASE)).toEqual({ claimed: [], suspects: [] });
  });

  test("runs of several tenants go in one claim", async () => {
    const { start, store } = bed();
    const [a, b] = [await start({}, "a"), await start({}, "b")];
    const { claimed } = await store.claimRuns([a, b], LEASE);
    expect(new Set(claimed.map(({ tenant }) => tenant))).toEqual(new Set(["a", "b"]));
  });

  test("a run whose last turn was lost is named a suspect, once, and only claimSuspect takes it", async () => {
    const { start, startAndClaim, store, moveClock } = bed();
    const suspect = ref(await startAndClaim());
    await moveClock(LEASE);
    await store.reclaimLeases(10, 3);
    expect(await store.claimSuspect(suspect, LEASE)).toEqual({ claimed: [], suspects: [] });
    await moveClock(MINUTE);
    const healthy = await start();
    const { claimed, suspects } = await store.claimRuns([healthy, suspect, suspect], LEASE);
    expect(claimed.map(ref)).toEqual([healthy]);
    expect(suspects).toEqual([suspect]);
    expect(await store.claimSuspect(await start(), LEASE)).toEqual({ claimed: [], suspects: [] });
    expect((await store.claimSuspect(suspect, LEASE)).claimed).toMatchObject([{ ...suspect, turn: 3 }]);
    expect(await store.claimSuspect(suspect, LEASE)).toEqual({ claimed: [], suspects: [] });
  });

  test("a suspect that commits a turn is a suspect no more", async () => {
    const { startAndClaim, claim, store, moveClock } = bed();
    const run = await startAndClaim();
    await moveClock(LEASE);
    await store.reclaimLeases(10, 3);
    await moveClock(MINUTE);
    const [again] = (await store.claimSuspect(run, LEASE)).claimed;
    if (again === undefined) throw new Error("not claimed");
    await store.commitTurns([decision(again)]);
    expect(await claim(run)).toMatchObject({ turn: 4 });
  });

  test("a due run of a version that the deployment does not have is left alone and told of, for a day (J4)", async () => {
    const { start, store, see, moveClock } = bed();
    const [known, newer, other] = [
      await start(),
      await start({ version: 2 }),
      await start({ workflow: "bill" }),
    ];
    const versions = { ship: [3, 1], "": [] };
    const before = await Promise.all([newer, other].map(see));
    const batch = await store.claimRuns([other, known, newer], LEASE, versions);
    expect(batch.claimed.map(ref)).toEqual([known]);
    expect(batch.suspects).toEqual([]);
    expect(batch.foreign?.toSorted((a, b) => a.version - b.version)).toEqual([
      { ...other, workflow: "bill", version: 1, overdueMs: expect.any(Number) },
      { ...newer, workflow: "ship", version: 2, overdueMs: expect.any(Number) },
    ]);
    expect(await Promise.all([newer, other].map(see))).toEqual(before);
    await moveClock(FOREIGN_LIMIT_MS - MINUTE);
    const again = await store.claimRuns([newer], LEASE, versions);
    expect(again).toMatchObject({ claimed: [], foreign: [newer] });
    expect(again.foreign?.[0]?.overdueMs).toBeGreaterThanOrEqual(FOREIGN_LIMIT_MS - MINUTE);
    await moveClock(MINUTE);
    expect(await store.claimRuns([newer], LEASE, versions)).toMatchObject({ claimed: [newer], foreign: [] });
    // Whoever has the code need not wait.
    expect((await store.claimRuns([other], LEASE, { bill: [1] })).claimed).toMatchObject([other]);
  });

  test("a suspect that the deployment does not know is no suspect of its", async () => {
    const { startAndClaim, store, moveClock } = bed();
    const run = ref(await startAndClaim());
    await moveClock(LEASE);
    await store.reclaimLeases(10, 3);
    await moveClock(MINUTE);
    const batch = await store.claimRuns([run], LEASE, { ship: [2] });
    expect(batch).toMatchObject({ claimed: [], suspects: [], foreign: [run] });
    await moveClock(FOREIGN_LIMIT_MS);
    const late = await store.claimRuns([run], LEASE, { ship: [2] });
    expect(late).toEqual({ claimed: [], suspects: [run], foreign: [] });
  });

  test("the tenant and the id of a run are told apart however they are spelt", async () => {
    const { store, start } = bed();
    const run = await start({ id: "b/c" }, "a");
    await store.startRuns("a/b", [newRun({ id: "c" })]);
    const { claimed } = await store.claimRuns([run, { tenant: "a/b", runId: "c" }], LEASE);
    expect(claimed.map(({ tenant, runId }) => [tenant, runId]).sort()).toEqual([
      ["a", "b/c"],
      ["a/b", "c"],
    ]);
  });
}
