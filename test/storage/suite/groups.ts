import { expect, test } from "vitest";
import { encode } from "../../../src/engine/codec.ts";
import type { Effect } from "../../../src/engine/effect.ts";
import type { Bed } from "../support/bed.ts";
import { decision, only, ref } from "../support/builders.ts";

export function groupsSuite(bed: () => Bed): void {
  const signal = (id: string | null = null) => ({
    name: "go",
    payload: encode({ now: true }, "The payload"),
    id,
  });
  const send = (after = "", limit = 500, id: string | null = null) =>
    bed().store.signalGroup("default", "crew", signal(id), after, limit);
  const members = async (limit = 100, after = "") =>
    (await bed().reads.groupMembers("default", "crew", limit, after)).map(({ runId }) => runId);

  /** A run that did this and waits for the signal. */
  async function doing(effects: readonly Effect[], tenant = "default") {
    const run = await bed().startAndClaim({}, tenant);
    const waits = [{ key: "go", kind: "signal" as const, name: "go", due: null }];
    await bed().commit([decision(run, { status: "waiting", wakeInMs: null, waits, effects })]);
    return run;
  }
  const member = (tenant?: string) => doing([{ kind: "join", group: "crew" }], tenant);

  test("a signal reaches every member once and wakes those who wait", async () => {
    const runs = [await member(), await member()];
    await doing([{ kind: "join", group: "others" }]);
    await member("other");
    const { signalled, due, next } = await send("", 500, "once");
    expect([signalled, next]).toEqual([2, null]);
    expect(due.map(ref)).toEqual(runs.map(ref));
    expect(await send("", 500, "once")).toMatchObject({ signalled: 2, due: [] });
    for (const run of runs) {
      const { kind, name, payload } = only((await bed().claim(run)).inbox);
      expect([kind, name, payload?.json]).toEqual(["signal", "go", { now: true }]);
    }
  });

  test("a group that nobody is in has nobody to signal", async () => {
    expect(await send()).toEqual({ signalled: 0, due: [], next: null });
    expect(await members()).toEqual([]);
  });

  test("members are taken in shares until all have the signal", async () => {
    const runs = [await member(), await member(), await member()];
    const ids = runs.map(({ runId }) => runId);
    const first = await send("", 2);
    expect(first).toMatchObject({ signalled: 2, next: ids[1] });
    const second = await send(first.next ?? "", 2);
    expect(second).toMatchObject({ signalled: 1, next: null });
    expect([...first.due, ...second.due].map(({ runId }) => runId)).toEqual(ids);
  });

  test("who has left is a member no more", async () => {
    await doing([
      { kind: "join", group: "crew" },
      { kind: "leave", group: "crew" },
    ]);
    const run = await member();
    expect(await members()).toEqual([run.runId]);
    expect(await send()).toMatchObject({ signalled: 1 });
  });

  test.each(["completed", "cancelled"] as const)("a run that is %s is a member no more", async (status) => {
    const run = await member();
    await bed().deliver(run);
    if (status === "cancelled") await bed().store.cancelRun(run, false);
    else await bed().commit([decision(await bed().claim(run), { status, endedWaits: ["go"] })]);
    expect(await members()).toEqual([]);
    expect(await send()).toMatchObject({ signalled: 0 });
  });

  test("a dead member keeps the signal until it is revived; a failed one gets none", async () => {
    const [dead, failed] = [await member(), await member()];
    for (const [run, status] of [[dead, "dead"] as const, [failed, "failed"] as const]) {
      await bed().deliver(run);
      await bed().store.commitTurns([decision(await bed().claim(run), { status })]);
    }
    expect(await send()).toMatchObject({ signalled: 1, due: [] });
    await bed().store.reviveRun(dead);
    expect((await bed().claim(dead)).inbox).toHaveLength(1);
  });

  test("I4: a signal during a turn leaves the run ready", async () => {
    const run = await member();
    await bed().deliver(run);
    const turn = await bed().claim(run);
    expect(await send()).toMatchObject({ signalled: 1, due: [] });
    await bed().commit([decision(turn, { status: "waiting", wakeInMs: null })]);
    expect(await bed().see(run)).toMatchObject({ status: "ready" });
  });

  test("the list of members goes by their ids, page by page, with what each is", async () => {
    const runs = [await member(), await member(), await member()];
    const ids = runs.map(({ runId }) => runId);
    expect(await members(2)).toEqual(ids.slice(0, 2));
    expect(await members(2, ids[1])).toEqual(ids.slice(2));
    const [first] = await bed().reads.groupMembers("default", "crew", 1, "");
    expect(first).toEqual({
      runId: ids[0],
      workflow: "ship",
      status: "waiting",
      joinedAt: expect.any(Number),
    });
  });
}
