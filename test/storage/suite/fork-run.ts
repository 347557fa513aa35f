import { ulid } from "ulid";
import { expect, test } from "vitest";
import { encode } from "../../../src/engine/codec.ts";
import type { Fork, NewSignal } from "../../../src/engine/ports.ts";
import { IdempotencyConflict, WrongStatus } from "../../../src/engine/refusals.ts";
import type { NewRun, RunRef } from "../../../src/engine/run.ts";
import type { Bed } from "../support/bed.ts";
import { boom, decision, entry, failedEntry, newRun, only, ref, retryingEntry } from "../support/builders.ts";

export function forkRunSuite(bed: () => Bed): void {
  const fork = (from: string | null, fields: Partial<NewRun> = {}): Fork => ({
    run: newRun(fields),
    from,
    hooks: [],
  });
  const journalOf = async (run: RunRef) =>
    ((await bed().reads.journal(run, 1_000, 0)) ?? []).map(({ seq, key, outcome, turn }) => [
      seq,
      key,
      outcome,
      turn,
    ]);

  test("a run made from another begins with what that did before the step, and is due at once", async () => {
    const { store, startAndClaim, claim, see } = bed();
    const old = await startAndClaim();
    const sleep = entry(2, { kind: "sleep", key: "nap", output: null });
    await store.commitTurns([decision(old, { entries: [entry(1), sleep, entry(3)], status: "completed" })]);
    const asked = fork("step 3", { tags: ["red"], input: encode({ order: 8 }, "x"), version: 2 });
    const forked = await store.forkRun(old, asked);
    expect(forked).toMatchObject({ created: true, wakeInMs: 0 });
    expect(await see(asked.run.id ? { tenant: "default", runId: asked.run.id } : old)).toMatchObject({
      status: "ready",
      version: 2,
      turn: 0,
      stepsDone: 1,
      tags: ["red"],
      forkedFrom: old.runId,
      input: asked.run.input,
      deadlineAt: null,
    });
    const claimed = await claim({ tenant: "default", runId: asked.run.id });
    const before = await claimedJournal(old);
    expect(claimed.journal).toEqual(before.slice(0, 2));
    expect([claimed.timers, claimed.waits, claimed.branches, claimed.inbox]).toEqual([[], [], [], []]);
  });

  const claimedJournal = async (run: RunRef) =>
    ((await bed().reads.journal(run, 100, 0)) ?? []).map(
      ({ seq, kind, key, outcome, attempt, output, failure, retryAt }) => ({
        seq,
        kind,
        key,
        outcome,
        attempt,
        output,
        failure,
        retryAt,
      }),
    );

  test("entries are numbered anew, without gaps, and of turn 0", async () => {
    const { store, startAndClaim, see } = bed();
    const old = await startAndClaim();
    const entries = [
      retryingEntry(1, { key: "slow" }),
      entry(2, { key: "quick" }),
      retryingEntry(3, { key: "lost" }),
      entry(4, { key: "slow", attempt: 2 }),
      entry(5, { key: "lost", attempt: 2 }),
      retryingEntry(6, { key: "charge", outcome: "unknown", retryInMs: null }),
      entry(7, { key: "last" }),
    ];
    await store.commitTurns([decision(old, { entries })]);
    const early = fork("lost");
    await store.forkRun(old, early);
    // Of a step that was still being tried there is nothing to reuse.
    const run = { tenant: "default", runId: early.run.id };
    expect(await journalOf(run)).toEqual([[1, "quick", "completed", 0]]);
    const late = fork("last");
    await store.forkRun(old, late);
    expect(await journalOf({ tenant: "default", runId: late.run.id })).toEqual([
      [1, "slow", "retrying", 0],
      [2, "quick", "completed", 0],
      [3, "lost", "retrying", 0],
      [4, "slow", "completed", 0],
      [5, "lost", "completed", 0],
    ]);
    expect((await see({ tenant: "default", runId: late.run.id })).stepsDone).toBe(3);
  });

  test("a forgiven failure and the revival are left out", async () => {
    const { store, startAndClaim, claim } = bed();
    const old = await startAndClaim();
    const failure = { ...boom, step: "step 1" };
    await store.commitTurns([decision(old, { status: "failed", entries: [failedEntry(1)], failure })]);
    await store.reviveRun(old);
    const again = await claim(ref(old));
    await store.commitTurns([
      decision(again, { entries: [entry(3, { key: "step 1", attempt: 2 }), entry(4)] }),
    ]);
    const asked = fork("step 4");
    await store.forkRun(old, asked);
    expect(await journalOf({ tenant: "default", runId: asked.run.id })).toEqual([
      [1, "step 1", "completed", 0],
    ]);
  });

  test("without a step nothing is taken over, and with one that is unknown nothing is made", async () => {
    const { store, startAndClaim, everything } = bed();
    const old = await startAndClaim();
    await store.commitTurns([decision(old, { entries: [entry(1)] })]);
    const asked = fork(null);
    await store.forkRun(old, asked);
    expect(await journalOf({ tenant: "default", runId: asked.run.id })).toEqual([]);
    const before = await everything();
    for (const from of ["step 2", "step", "step 1["]) expect(await store.forkRun(old, fork(from))).toBeNull();
    expect(await store.forkRun({ ...old, tenant: "other" }, fork("step 1"))).toBeNull();
    expect(await everything()).toEqual(before);
  });

  test("a key has one run, and belongs to the old run and the input that it was first given for", async () => {
    const { store, start } = bed();
    const old = await start();
    const asked = () => fork(null, { idempotencyKey: "again" });
    const first = await store.forkRun(old, asked());
    const second = await store.forkRun(old, asked());
    expect([first?.created, second?.created]).toEqual([true, false]);
    expect(second?.run.runId).toBe(first?.run.runId);
    const other = fork(null, { idempotencyKey: "again", input: encode(9, "x") });
    await expect(store.forkRun(old, other)).rejects.toThrow(IdempotencyConflict);
    await expect(store.forkRun(await start(), asked())).rejects.toThrow(IdempotencyConflict);
  });
}

export function startOrSignalSuite(bed: () => Bed): void {
  const signal = (runId: string, id: string | null = null): NewSignal => ({
    runId,
    name: "paid",
    payload: encode({ sum: 7 }, "x"),
    id,
  });
  /** What a start with a key and a signal gives. */
  const send = async (key: string, id: string | null = null, fields: Partial<NewRun> = {}) => {
    const run = newRun({ idempotencyKey: key, ...fields });
    return only(await bed().store.startRuns("default", [run], [signal(run.id, id)]));
  };

  test("a signal that comes with a start is there when the run is claimed", async () => {
    const { run, created } = await send("a");
    const claimed = await bed().claim(run);
    expect([created, claimed.deliveries]).toEqual([true, 1]);
    expect(claimed.inbox).toMatchObject([{ kind: "signal", name: "paid", payload: { json: { sum: 7 } } }]);
  });

  test("one for a run that waits makes it due and asks for its wake-up; one for any other does not", async () => {
    const { store, claim, see } = bed();
    const { run } = await send("b");
    expect(await send("b")).not.toHaveProperty("woken");
    const claimed = await claim(run);
    expect(await send("b")).not.toHaveProperty("woken");
    await store.commitTurns([decision(claimed, { status: "waiting", wakeInMs: 3_600_000 })]);
    // I4: more was delivered than the claim knew of.
    expect((await see(run)).status).toBe("ready");
    const again = await claim(run);
    await store.commitTurns([decision(again, { status: "waiting", wakeInMs: 3_600_000 })]);
    expect(await send("b")).toMatchObject({ created: false, woken: true, wakeInMs: 0 });
  });

  test("the same id again arrives once", async () => {
    const { run } = await send("c", "x");
    await send("c", "x");
    await send("c", "y");
    expect(await bed().rowsOf("deliveries", run)).toHaveLength(2);
  });

  test("a run that is over is named, and of the whole batch nothing is done", async () => {
    const { store, everything } = bed();
    const { run } = await send("d");
    await store.cancelRun(run, false);
    const before = await everything();
    const both = [newRun({ idempotencyKey: "d" }), newRun({ idempotencyKey: "e" })];
    const signals = both.map(({ id }) => signal(id));
    await expect(store.startRuns("default", both, signals)).rejects.toThrow(WrongStatus);
    await expect(send("f", null, { id: ulid() }).then(() => send("d"))).rejects.toThrow(/is cancelled/);
    const [runs] = [await bed().reads.runs("default", {}, 10, null)];
    expect(runs.map(({ idempotencyKey }) => idempotencyKey).sort()).toEqual(["d", "f"]);
    expect(before).not.toBeNull();
  });

  test("a start that is delayed stays so, whatever is signalled", async () => {
    const { run } = await send("g", null, { delayMs: 3_600_000 });
    await send("g");
    const { wakeAt, createdAt } = await bed().see(run);
    expect((wakeAt ?? 0) - createdAt).toBe(3_600_000);
  });
}
