import { expect, test } from "vitest";
import type { RunRef } from "../../../src/engine/run.ts";
import type { Bed } from "../support/bed.ts";
import { decision, HOUR, newRun, ref } from "../support/builders.ts";
import { inboxOf, newWait, parks, signal } from "../support/family.ts";

export function deliverSignalsSuite(bed: () => Bed): void {
  test("a signal stands in the inbox with what it brings, and wakes a run that is parked", async () => {
    const { startAndClaim, store, claim } = bed();
    const run = await startAndClaim();
    await store.commitTurns([parks(run, { waits: [newWait("signal", "paid")] })]);
    const { sent, due } = await store.deliverSignals("default", [
      signal(run, "paid", "1", { at: new Date(7) }),
    ]);
    expect(sent).toEqual([{ runId: run.runId, result: "accepted" }]);
    expect(due).toEqual([{ ...ref(run), wakeInMs: 0 }]);
    expect((await claim(run)).inbox).toMatchObject([
      {
        kind: "signal",
        name: "paid",
        sender: "1",
        payload: signal(run, "paid", "1", { at: new Date(7) }).payload,
      },
    ]);
  });

  test("who is live or dead keeps it, who is over refuses it by name", async () => {
    const { start, startAndClaim, store } = bed();
    const waiting = await startAndClaim();
    await store.commitTurns([parks(waiting, { waits: [newWait("signal", "paid")] })]);
    const paused = await start();
    await store.pauseRun(paused);
    const ended: RunRef[] = [];
    for (const status of ["dead", "completed", "failed"] as const) {
      const run = await startAndClaim();
      await store.commitTurns([decision(run, { status })]);
      ended.push(ref(run));
    }
    const cancelled = await start();
    await store.cancelRun(cancelled, false);
    const runs = [await start(), await startAndClaim(), waiting, paused, ...ended, cancelled].map(ref);
    const all = [...runs, { tenant: "default", runId: "nobody" }].map((run) => signal(run, "paid"));
    const { sent } = await store.deliverSignals("default", all);
    expect(sent.map(({ runId }) => runId)).toEqual(all.map(({ runId }) => runId));
    expect(sent.map(({ result }) => result)).toEqual([
      ...["accepted", "accepted", "accepted", "accepted", "accepted"],
      ...["completed", "failed", "cancelled", "not_found"],
    ]);
    const kept = await Promise.all(runs.map(async (run) => (await inboxOf(bed(), run)).length));
    expect(kept).toEqual([1, 1, 1, 1, 1, 0, 0, 0]);
  });

  test("only the one that makes a parked run due asks for a wake-up", async () => {
    const { start, startAndClaim, store } = bed();
    const parked = await startAndClaim();
    await store.commitTurns([
      parks(parked, { wakeInMs: HOUR, timers: [{ key: "nap", due: { inMs: HOUR } }] }),
    ]);
    const runs = [parked, await start(), await startAndClaim()];
    const send = async () =>
      (
        await store.deliverSignals(
          "default",
          runs.map((run) => signal(run, "paid")),
        )
      ).due;
    expect(await send()).toEqual([{ ...ref(parked), wakeInMs: 0 }]);
    expect(await send()).toEqual([]);
  });

  test("the same id arrives once: sent again, at once, beside itself, and after it was taken (I5, F4)", async () => {
    const { start, claim, store, see } = bed();
    const run = await start();
    await store.deliverSignals("default", [signal(run, "paid", "1"), signal(run, "paid", "1")]);
    await Promise.all([1, 2, 3, 4].map(() => store.deliverSignals("default", [signal(run, "paid", "1")])));
    expect(await inboxOf(bed(), run)).toEqual(["signal paid completed"]);
    const turn = await claim(run);
    expect(turn.deliveries).toBe(1);
    const consumed = turn.inbox.map(({ id }) => ({ id, key: "payment" }));
    await store.commitTurns([parks(turn, { waits: [newWait("signal", "paid", { key: "next" })], consumed })]);
    const again = await store.deliverSignals("default", [signal(run, "paid", "1")]);
    expect(again).toEqual({ sent: [{ runId: run.runId, result: "accepted" }], due: [] });
    expect(await see(run)).toMatchObject({ status: "waiting" });
  });

  test("an id belongs to its run and its name; without one each counts", async () => {
    const { start, store } = bed();
    const [a, b] = [await start(), await start()];
    await store.deliverSignals("default", [
      signal(a, "paid", "1"),
      signal(a, "shipped", "1"),
      signal(b, "paid", "1"),
      signal(b, "paid"),
      signal(b, "paid"),
    ]);
    expect(await inboxOf(bed(), a)).toEqual(["signal paid completed", "signal shipped completed"]);
    expect(await inboxOf(bed(), b)).toHaveLength(3);
  });

  test("signals of one call arrive in their order", async () => {
    const { start, claim, store } = bed();
    const run = await start();
    const names = Array.from({ length: 20 }, (_, i) => `signal ${i}`);
    await store.deliverSignals(
      "default",
      names.map((name) => signal(run, name)),
    );
    expect((await claim(run)).inbox.map(({ name }) => name)).toEqual(names);
  });

  test("fifty at once arrive once each, with one wake-up (F2)", async () => {
    const { startAndClaim, store, claim } = bed();
    const run = await startAndClaim();
    await store.commitTurns([parks(run, { waits: [newWait("signal", "paid")] })]);
    const answers = await Promise.all(
      Array.from({ length: 50 }, (_, i) => store.deliverSignals("default", [signal(run, "paid", String(i))])),
    );
    expect(answers.flatMap(({ due }) => due)).toEqual([{ ...ref(run), wakeInMs: 0 }]);
    const { inbox, deliveries } = await claim(run);
    expect(deliveries).toBe(50);
    expect(new Set(inbox.map(({ sender }) => sender)).size).toBe(50);
  });

  test("another tenant's run is not found, and no signals are a delivery of nothing", async () => {
    const { start, store } = bed();
    const run = await start({}, "other");
    expect((await store.deliverSignals("default", [signal(run, "paid")])).sent).toEqual([
      { runId: run.runId, result: "not_found" },
    ]);
    expect(await inboxOf(bed(), run)).toEqual([]);
    expect(await store.deliverSignals("default", [])).toEqual({ sent: [], due: [] });
  });

  test("a run whose start is delayed keeps what arrives, and starts in its time", async () => {
    const { store, see } = bed();
    const late = newRun({ delayMs: HOUR });
    await store.startRuns("default", [late]);
    const run = { tenant: "default", runId: late.id };
    const before = await see(run);
    expect((await store.deliverSignals("default", [signal(run, "paid")])).due).toEqual([]);
    expect(await see(run)).toEqual(before);
  });
}
