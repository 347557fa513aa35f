import { expect, test } from "vitest";
import { encode } from "../../../src/engine/codec.ts";
import { hookSignal } from "../../../src/engine/plan/steps.ts";
import type { Bed } from "../support/bed.ts";
import { DAY, decision, only, ref } from "../support/builders.ts";

export function hooksSuite(bed: () => Bed): void {
  const post = (digest = "digest", payload: unknown = { paid: true }) =>
    bed().store.receiveHook(digest, encode(payload, "The payload"));

  /** A run that made a hook and waits for it. */
  async function hooked(expiresInMs = DAY) {
    const run = await bed().startAndClaim();
    const name = hookSignal("pay");
    await bed().commit([
      decision(run, {
        status: "waiting",
        wakeInMs: null,
        waits: [{ key: "pay received", kind: "signal", name, due: null }],
        effects: [{ kind: "hook", key: "pay", digest: "digest", expiresInMs }],
      }),
    ]);
    return run;
  }

  test("what is posted is a signal to the run, which wakes", async () => {
    const run = await hooked();
    const { result, due } = await post();
    expect([result, due.map(ref)]).toEqual(["received", [ref(run)]]);
    const { kind, name, payload } = only((await bed().claim(run)).inbox);
    expect([kind, name, payload?.json]).toEqual(["signal", "pay#hook", { paid: true }]);
  });

  test("of many at once exactly one is received (F14)", async () => {
    const run = await hooked();
    const results = await Promise.all(Array.from({ length: 10 }, (_, i) => post("digest", i)));
    const received = results.filter(({ result }) => result === "received");
    expect(received).toHaveLength(1);
    expect(new Set(results.map(({ result }) => result))).toEqual(new Set(["received", "used"]));
    expect((await bed().claim(run)).inbox).toHaveLength(1);
  });

  test("one that was not used in time has expired (F14)", async () => {
    const run = await hooked(DAY);
    await bed().moveClock(DAY);
    expect(await post()).toEqual({ result: "expired", due: [] });
    await bed().deliver(run);
    expect((await bed().claim(run)).inbox).toEqual([]);
  });

  test("one that was used in time stays used", async () => {
    await hooked(DAY);
    await post();
    await bed().moveClock(DAY);
    expect((await post()).result).toBe("used");
  });

  test("an unknown one is not found", async () => {
    await hooked();
    expect(await post("another")).toEqual({ result: "not_found", due: [] });
  });

  test.each(["completed", "failed", "cancelled"] as const)(
    "that of a %s run is not found",
    async (status) => {
      const run = await hooked();
      await bed().deliver(run);
      if (status === "cancelled") await bed().store.cancelRun(run, false);
      else await bed().store.commitTurns([decision(await bed().claim(run), { status })]);
      expect((await post()).result).toBe("not_found");
    },
  );

  test("a dead run keeps what was posted until it is revived", async () => {
    const run = await hooked();
    await bed().deliver(run);
    await bed().store.commitTurns([decision(await bed().claim(run), { status: "dead" })]);
    expect(await post()).toEqual({ result: "received", due: [] });
    await bed().store.reviveRun(run);
    expect(only((await bed().claim(run)).inbox).payload?.json).toEqual({ paid: true });
  });

  test("I4: one that is posted during a turn leaves the run ready", async () => {
    const run = await hooked();
    await bed().deliver(run);
    const turn = await bed().claim(run);
    expect(await post()).toEqual({ result: "received", due: [] });
    await bed().commit([decision(turn, { status: "waiting", wakeInMs: null })]);
    expect(await bed().see(run)).toMatchObject({ status: "ready" });
  });
}
