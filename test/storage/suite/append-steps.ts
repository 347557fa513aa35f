import { expect, test } from "vitest";
import { encode } from "../../../src/engine/codec.ts";
import type { NewMutation } from "../../../src/engine/ports.ts";
import type { RunRef } from "../../../src/engine/run.ts";
import type { Bed } from "../support/bed.ts";
import { boom, decision, entry, failedEntry, HOUR, only } from "../support/builders.ts";

const REQUEST = { gate: "gate", steps: [{ name: "a", payload: { b: 1 } }] };

export function appendStepsSuite(bed: () => Bed): void {
  const mutation = (fields: Partial<NewMutation> = {}): NewMutation => ({
    key: "m-1",
    gate: "gate",
    name: "graph",
    request: REQUEST,
    known: 0,
    ...fields,
  });
  const signal = (run: RunRef, name: string) =>
    bed().store.deliverSignals(run.tenant, [{ runId: run.runId, name, payload: encode(1, "It"), id: null }]);
  const wait = (key: string, inMs: number | null = null) => ({
    key,
    kind: key === "graph" ? ("mutation" as const) : ("signal" as const),
    name: key,
    due: inMs === null ? null : { inMs },
  });
  const parked = async (...waits: ReturnType<typeof wait>[]) => {
    const run = await bed().startAndClaim();
    await bed().store.commitTurns([decision(run, { status: "waiting", wakeInMs: null, waits })]);
    return run;
  };
  const isNothingStored = async (run: RunRef) => {
    expect(await bed().store.mutations(run)).toEqual([]);
    expect((await bed().see(run)).wakeAt).toBeNull();
  };

  test("a request is kept under its key, and reaches the run that waits for it", async () => {
    const { store, claim } = bed();
    const run = await parked(wait("gate"), wait("graph"));
    const { tenant, runId } = run;
    expect(await store.appendSteps(run, mutation())).toEqual({
      result: "appended",
      due: [{ tenant, runId, wakeInMs: 0 }],
    });
    expect(await store.mutations(run)).toEqual([{ key: "m-1", request: REQUEST }]);
    const delivery = only((await claim(run)).inbox);
    const payload = { json: REQUEST, meta: null };
    expect(delivery).toMatchObject({
      kind: "mutation",
      name: "graph",
      outcome: "completed",
      sender: "m-1",
      payload,
    });
  });

  test("what is appended before the run waits for it is not slept over", async () => {
    const { startAndClaim, store, see } = bed();
    const run = await startAndClaim();
    expect(await store.appendSteps(run, mutation())).toEqual({ result: "appended", due: [] });
    await store.commitTurns([
      decision(run, {
        status: "waiting",
        wakeInMs: null,
        deliveries: 1,
        waits: [wait("gate"), wait("graph")],
      }),
    ]);
    expect(await see(run)).toMatchObject({ status: "ready" });
  });

  test("I4: what is appended while a turn runs leaves the run ready", async () => {
    const { startAndClaim, store, see } = bed();
    const run = await startAndClaim();
    await store.appendSteps(run, mutation());
    await store.commitTurns([decision(run, { status: "waiting", wakeInMs: HOUR })]);
    expect(await see(run)).toMatchObject({ status: "ready" });
  });

  test.each(["completed", "timed_out", "failed"] as const)(
    "a gate whose end is journaled as %s is open",
    async (outcome) => {
      const { startAndClaim, store } = bed();
      const run = await startAndClaim();
      const fields = { key: "gate", kind: "signal" as const, outcome };
      const output = outcome === "completed" ? encode(1, "It") : null;
      const end = outcome === "failed" ? failedEntry(1, fields) : entry(1, { ...fields, output });
      await store.commitTurns([
        decision(run, { status: "waiting", wakeInMs: null, waits: [wait("other")], entries: [end] }),
      ]);
      expect(await store.appendSteps(run, mutation())).toEqual({ result: "gate_open", due: [] });
      await isNothingStored(run);
    },
  );

  test("a gate is open from when its signal has arrived, taken or not; other signals open nothing", async () => {
    const { store } = bed();
    const run = await parked(wait("gate"), wait("graph"));
    await signal(run, "other");
    expect(await store.appendSteps(run, mutation())).toMatchObject({ result: "appended" });
    await signal(run, "gate");
    const next = mutation({ key: "m-2", known: 1 });
    expect(await store.appendSteps(run, next)).toEqual({ result: "gate_open", due: [] });
    expect(await store.mutations(run)).toHaveLength(1);
  });

  test("a gate is open from when its time is over, though no turn has seen it yet", async () => {
    const { store, moveClock, claim } = bed();
    const run = await parked(wait("gate", HOUR), wait("graph"));
    expect(await store.appendSteps(run, mutation())).toMatchObject({ result: "appended" });
    await moveClock(HOUR);
    expect(await store.appendSteps(run, mutation({ key: "m-2", known: 1 }))).toMatchObject({
      result: "gate_open",
    });
    const { inbox, waits } = await claim(run);
    expect(only(inbox).arrivedAt).toBeLessThan(waits.find(({ key }) => key === "gate")?.dueAt ?? 0);
  });

  test("a request that was checked against less than what was appended is outdated, whatever its key", async () => {
    const { store } = bed();
    const run = await parked(wait("gate"), wait("graph"));
    await store.appendSteps(run, mutation());
    for (const key of ["m-1", "m-2"]) {
      expect(await store.appendSteps(run, mutation({ key }))).toEqual({ result: "outdated", due: [] });
    }
    expect(await store.appendSteps(run, mutation({ key: "m-2", known: 1 }))).toMatchObject({
      result: "appended",
    });
    expect((await store.mutations(run)).map(({ key }) => key).sort()).toEqual(["m-1", "m-2"]);
  });

  test.each(["completed", "failed"] as const)(
    "a run that is %s takes nothing, and the answer says so",
    async (status) => {
      const { startAndClaim, store } = bed();
      const run = await startAndClaim();
      await store.commitTurns([decision(run, { status })]);
      expect(await store.appendSteps(run, mutation())).toEqual({ result: status, due: [] });
      await isNothingStored(run);
    },
  );

  test("nor does one that undoes what it did, or one of another tenant, or none at all", async () => {
    const { startAndClaim, store } = bed();
    const run = await startAndClaim();
    const verdict = { status: "failed", failure: boom } as const;
    await store.commitTurns([decision(run, { status: "waiting", wakeInMs: HOUR, verdict, failure: null })]);
    expect(await store.appendSteps(run, mutation())).toEqual({ result: "compensating", due: [] });
    for (const other of [
      { ...run, tenant: "other" },
      { ...run, runId: "nobody" },
    ]) {
      expect(await store.appendSteps(other, mutation())).toEqual({ result: "not_found", due: [] });
      expect(await store.mutations(other)).toEqual([]);
    }
    expect(await store.mutations(run)).toEqual([]);
  });

  test("what a forked run has taken over with its journal is known, without a key; what was taken is not told twice", async () => {
    const { start, startAndClaim, store } = bed();
    const source = await startAndClaim();
    await store.appendSteps(source, mutation());
    const taken = entry(1, { kind: "mutation", key: "graph", output: { json: REQUEST, meta: null } });
    await store.commitTurns([
      decision(source, { status: "completed", deliveries: 1, entries: [taken, entry(2)] }),
    ]);
    expect(await store.mutations(source)).toEqual([{ key: "m-1", request: REQUEST }]);
    const forked = await start();
    await store.commitTurns([decision(await bed().claim(forked), { status: "completed", entries: [taken] })]);
    expect(await store.mutations(forked)).toEqual([{ key: null, request: REQUEST }]);
  });

  test("a dead or paused run keeps what is appended for when it goes on", async () => {
    const { startAndClaim, start, store, see } = bed();
    const dead = await startAndClaim();
    await store.commitTurns([decision(dead, { status: "dead" })]);
    expect(await store.appendSteps(dead, mutation())).toEqual({ result: "appended", due: [] });
    const paused = await start();
    await store.pauseRun(paused);
    expect(await store.appendSteps(paused, mutation())).toEqual({ result: "appended", due: [] });
    expect(await see(paused)).toMatchObject({ status: "paused", wakeAt: null });
    await store.resumeRun(paused);
    expect((await bed().claim(paused)).inbox).toHaveLength(1);
  });
}
