import { describe, expect, test } from "vitest";
import { encode } from "../../../src/engine/codec.ts";
import type { Bed } from "../support/bed.ts";
import {
  boom,
  DAY,
  decision,
  entry,
  failedEntry,
  HOUR,
  LEASE,
  MINUTE,
  ref,
  retryingEntry,
} from "../support/builders.ts";

export function commitTurnsSuite(bed: () => Bed): void {
  test("a turn that goes on is ready and due now, and its lease is given back", async () => {
    const { startAndClaim, see } = bed();
    const run = await startAndClaim();
    const goesOn = decision(run, { entries: [entry(1)], currentStep: "step 2" });
    expect(await bed().commit([goesOn])).toEqual([{ ...ref(run), status: "ready", wakeInMs: 0 }]);
    expect(await see(run)).toMatchObject({
      status: "ready",
      turn: 1,
      stepsDone: 1,
      currentStep: "step 2",
      leaseExpiresAt: null,
      finishedAt: null,
    });
  });

  test.each(["completed", "failed", "dead"] as const)("a turn ends the run as %s", async (status) => {
    const { startAndClaim, see } = bed();
    const run = await startAndClaim();
    const output = status === "completed" ? encode({ at: new Date(7) }, "x") : null;
    const committed = await bed().commit([decision(run, { status, output })]);
    expect(committed).toEqual([{ ...ref(run), status, wakeInMs: null }]);
    const seen = await see(run);
    expect(seen).toMatchObject({ status, output, wakeAt: null, leaseExpiresAt: null });
    expect(seen.failure).toEqual(status === "completed" ? null : boom);
    expect(seen.finishedAt).toBeGreaterThanOrEqual(run.now);
  });

  test("no output, the output null and the output undefined are told apart", async () => {
    const { startAndClaim, store, see } = bed();
    const outputs = [null, encode(null, "x"), encode(undefined, "x"), encode(Number.NaN, "x")];
    for (const output of outputs) {
      const run = await startAndClaim();
      await store.commitTurns([decision(run, { status: "completed", output })]);
      expect((await see(run)).output).toEqual(output);
    }
  });

  test("no decisions are a commit of nothing", async () => {
    expect(await bed().store.commitTurns([])).toEqual({ turns: [], due: [] });
  });

  test("many turns commit together, each its own", async () => {
    const { startAndClaim, see, journaled } = bed();
    const runs = [await startAndClaim(), await startAndClaim({}, "other"), await startAndClaim()] as const;
    const decisions = [
      decision(runs[0], { entries: [entry(1, { key: "a" })] }),
      decision(runs[1], { entries: [entry(1, { key: "b" })], status: "completed" }),
      decision(runs[2], { entries: [entry(1, { key: "c" }), entry(2, { key: "d" })], status: "failed" }),
    ];
    expect(await bed().commit(decisions)).toHaveLength(3);
    expect(await Promise.all(runs.map(journaled))).toEqual([["a"], ["b"], ["c", "d"]]);
    const seen = await Promise.all(runs.map(see));
    expect(seen.map(({ status }) => status)).toEqual(["ready", "completed", "failed"]);
    expect(seen.map(({ stepsDone }) => stepsDone)).toEqual([1, 1, 2]);
  });

  test("steps done counts completed steps, not sleeps and not failures", async () => {
    const { startAndClaim, store, see } = bed();
    const run = await startAndClaim();
    const entries = [entry(1), entry(2, { kind: "sleep" }), retryingEntry(3), failedEntry(4), entry(5)];
    await store.commitTurns([decision(run, { entries })]);
    expect((await see(run)).stepsDone).toBe(2);
  });

  test("the run is due at the earlier of an instant and a span", async () => {
    const { startAndClaim, see } = bed();
    for (const [wakeAt, wakeInMs, expected] of [
      [2 * HOUR, HOUR, HOUR],
      [HOUR, 2 * HOUR, HOUR],
      [null, HOUR, HOUR],
      [HOUR, null, HOUR],
    ] as const) {
      const run = await startAndClaim();
      const at = wakeAt === null ? null : run.now + wakeAt;
      const [committed] = await bed().commit([decision(run, { status: "waiting", wakeAt: at, wakeInMs })]);
      expect((await see(run)).wakeAt).toBeGreaterThanOrEqual(run.now + expected);
      expect((await see(run)).wakeAt).toBeLessThan(run.now + expected + MINUTE);
      expect(committed?.wakeInMs).toBeGreaterThan(expected - MINUTE);
      expect(committed?.wakeInMs).toBeLessThanOrEqual(expected);
    }
  });

  test("an instant comes back to the millisecond", async () => {
    const { startAndClaim, store, see } = bed();
    const run = await startAndClaim();
    const timers = [{ key: "nap", due: { at: 4_102_444_799_999 } }];
    await store.commitTurns([decision(run, { status: "waiting", wakeAt: 4_102_444_799_999, timers })]);
    expect((await see(run)).wakeAt).toBe(4_102_444_799_999);
  });

  describe("deadline", () => {
    test("a run never sleeps past its deadline", async () => {
      const { startAndClaim, see } = bed();
      const run = await startAndClaim({ deadlineInMs: HOUR });
      const [committed] = await bed().commit([
        decision(run, { status: "waiting", wakeInMs: 2 * DAY, wakeAt: run.now + DAY }),
      ]);
      expect((await see(run)).wakeAt).toBe(run.deadlineAt);
      expect(committed?.wakeInMs).toBeLessThanOrEqual(HOUR);
    });

    test("a run that went past its deadline while it ran is due at once", async () => {
      const { startAndClaim, see, moveClock } = bed();
      const run = await startAndClaim({ deadlineInMs: HOUR });
      await moveClock(2 * HOUR);
      const committed = await bed().commit([decision(run, { status: "waiting", wakeInMs: HOUR })]);
      expect(committed).toMatchObject([{ wakeInMs: 0 }]);
      expect((await see(run)).wakeAt).toBe(run.deadlineAt);
    });

    test("a delivery to a run that went past its deadline leaves it due by then", async () => {
      const { startAndClaim, store, see, moveClock, deliver } = bed();
      const run = await startAndClaim({ deadlineInMs: HOUR });
      await deliver(run);
      await moveClock(2 * HOUR);
      await store.commitTurns([decision(run, { status: "waiting", wakeInMs: HOUR })]);
      expect((await see(run)).wakeAt).toBe(run.deadlineAt);
    });
  });

  describe("timers", () => {
    test("begin with a commit, end with a later one, and are all gone from a completed run", async () => {
      const { startAndClaim, claim, store, timers } = bed();
      const run = await startAndClaim();
      const nap = { key: "nap", due: { inMs: 0 } };
      const rest = { key: "rest", due: { inMs: HOUR } };
      await store.commitTurns([decision(run, { timers: [nap, rest] })]);
      expect(await timers(run)).toEqual(["nap", "rest"]);
      const second = await claim(run);
      const over = entry(1, { kind: "sleep", key: "nap", output: null });
      await store.commitTurns([decision(second, { entries: [over], endedTimers: ["nap"] })]);
      expect(await timers(run)).toEqual(["rest"]);
      const third = await claim(run);
      await store.commitTurns([decision(third, { status: "completed", endedTimers: ["rest"] })]);
      expect(await timers(run)).toEqual([]);
    });

    test.each(["failed", "dead"] as const)("stay with a %s run: it may be revived", async (status) => {
      const { startAndClaim, claim, store, timers } = bed();
      const run = await startAndClaim();
      await store.commitTurns([decision(run, { timers: [{ key: "nap", due: { inMs: HOUR } }] })]);
      await store.commitTurns([decision(await claim(run), { status })]);
      expect(await timers(run)).toEqual(["nap"]);
    });

    test("of one run end without those of another of the same key", async () => {
      const { startAndClaim, claim, store, timers } = bed();
      const [a, b] = [await startAndClaim({ id: "same" }), await startAndClaim({ id: "same" }, "other")];
      const sleeps = { timers: [{ key: "nap", due: { inMs: 0 } }] };
      await store.commitTurns([decision(a, sleeps), decision(b, sleeps)]);
      await store.commitTurns([decision(await claim(a), { endedTimers: ["nap"] })]);
      expect([await timers(a), await timers(b)]).toEqual([[], ["nap"]]);
    });
  });

  describe("I1: at most one entry per key and attempt, one completed entry per key", () => {
    const journalWith = async (first: ReturnType<typeof entry>, second: ReturnType<typeof entry>) => {
      const { startAndClaim, claim, store } = bed();
      const run = await startAndClaim();
      await store.commitTurns([decision(run, { entries: [first] })]);
      const again = await claim(run);
      return { run, commit: store.commitTurns([decision(again, { entries: [second] })]) };
    };

    test.each([
      ["the same attempt again", retryingEntry(1, { key: "a" }), retryingEntry(2, { key: "a" })],
      ["a second completion", entry(1, { key: "a" }), entry(2, { key: "a", attempt: 2 })],
      ["an attempt that completes twice", retryingEntry(1, { key: "a" }), entry(2, { key: "a" })],
      ["a place in the journal that is taken", entry(1, { key: "a" }), entry(1, { key: "b" })],
    ])("refuses %s, and the whole commit with it", async (_, first, second) => {
      const { run, commit } = await journalWith(first, second);
      await expect(commit).rejects.toThrow();
      const { see, journaled } = bed();
      expect(await journaled(run)).toEqual(["a"]);
      expect(await see(run)).toMatchObject({ status: "running", turn: 2 });
    });

    test("takes the next attempt", async () => {
      const { run, commit } = await journalWith(
        retryingEntry(1, { key: "a" }),
        entry(2, { key: "a", attempt: 2 }),
      );
      await commit;
      expect(await bed().journaled(run)).toEqual(["a", "a"]);
    });

    test("one refused turn takes the others of its commit with it, and none of them is written", async () => {
      const { startAndClaim, store, see, journaled } = bed();
      const [good, bad] = [await startAndClaim(), await startAndClaim()];
      const twice = [entry(1, { key: "a" }), entry(2, { key: "a" })];
      const commit = store.commitTurns([
        decision(good, { entries: [entry(1)] }),
        decision(bad, { entries: twice }),
      ]);
      await expect(commit).rejects.toThrow();
      expect([await journaled(good), await journaled(bad)]).toEqual([[], []]);
      expect(await see(good)).toMatchObject({ status: "running", turn: 1 });
    });
  });

  describe("I2: a turn that has moved on writes nothing anywhere", () => {
    const everything = {
      entries: [entry(1)],
      timers: [{ key: "late", due: { inMs: HOUR } }],
      endedTimers: ["nap"],
      currentStep: "late",
    };

    /** A run that sleeps on "nap", in its second turn. */
    const sleeper = async () => {
      const { startAndClaim, claim, store } = bed();
      const run = await startAndClaim();
      await store.commitTurns([decision(run, { timers: [{ key: "nap", due: { inMs: 0 } }] })]);
      return claim(run);
    };

    const movedOn: readonly [string, (run: Awaited<ReturnType<typeof sleeper>>) => Promise<unknown>][] = [
      [
        "a reclaim",
        async () => {
          await bed().moveClock(LEASE);
          return bed().store.reclaimLeases(10, 5);
        },
      ],
      [
        "a reclaim and the next claim",
        async (run) => {
          await bed().moveClock(LEASE);
          await bed().store.reclaimLeases(10, 5);
          await bed().moveClock(MINUTE);
          return bed().store.claimSuspect(run, LEASE);
        },
      ],
      [
        "a reclaim that gave up",
        async () => {
          await bed().moveClock(LEASE);
          return bed().store.reclaimLeases(10, 1);
        },
      ],
      ["a cancel", (run) => bed().store.cancelRun(run, false)],
      [
        "a revive",
        async (run) => {
          await bed().moveClock(LEASE);
          await bed().store.reclaimLeases(10, 1);
          return bed().store.reviveRun(run);
        },
      ],
      [
        "another commit and the next claim",
        async (run) => {
          await bed().store.commitTurns([decision(run)]);
          return bed().claim(run);
        },
      ],
    ];

    test.each(movedOn)("after %s", async (_, moveOn) => {
      const { store, see, journaled, timers } = bed();
      const zombie = await sleeper();
      await moveOn(zombie);
      const before = [await see(zombie), await journaled(zombie), await timers(zombie)];
      for (const status of ["ready", "waiting", "completed", "failed", "dead"] as const) {
        expect(await bed().commit([decision(zombie, { ...everything, status })])).toEqual([]);
      }
      expect(await store.renewLease(zombie, zombie.turn, HOUR)).toBe(false);
      expect([await see(zombie), await journaled(zombie), await timers(zombie)]).toEqual(before);
    });

    test("a zombie in a batch is left out, and its neighbours commit", async () => {
      const { startAndClaim, store, journaled } = bed();
      const [zombie, alive] = [await startAndClaim(), await startAndClaim()];
      await store.cancelRun(zombie, false);
      const decisions = [decision(zombie, { entries: [entry(1)] }), decision(alive, { entries: [entry(1)] })];
      expect((await bed().commit(decisions)).map(ref)).toEqual([ref(alive)]);
      expect([await journaled(zombie), await journaled(alive)]).toEqual([[], ["step 1"]]);
    });

    test("a zombie and the turn that came after it commit together as if apart", async () => {
      const { startAndClaim, claim, store, journaled, timers, see } = bed();
      const zombie = await startAndClaim();
      await store.commitTurns([decision(zombie, { timers: [{ key: "nap", due: { inMs: 0 } }] })]);
      const alive = await claim(zombie);
      const late = decision(zombie, { ...everything, entries: [entry(1, { key: "zombie" })] });
      const good = decision(alive, {
        entries: [entry(2)],
        timers: [{ key: "soon", due: { inMs: 0 } }],
        currentStep: "next",
      });
      expect((await bed().commit([late, good])).map(ref)).toEqual([ref(alive)]);
      expect([await journaled(alive), await timers(alive)]).toEqual([["step 2"], ["nap", "soon"]]);
      expect(await see(alive)).toMatchObject({ currentStep: "next", stepsDone: 1 });
    });

    test("a turn that never was writes nothing", async () => {
      const { startAndClaim, start, journaled } = bed();
      const [claimed, ready] = [await startAndClaim(), await start()];
      const decisions = [
        decision({ ...claimed, turn: 2 }, everything),
        decision({ ...claimed, tenant: "other" }, everything),
        decision({ ...claimed, ...ready, turn: 1 }, everything),
        decision({ ...claimed, runId: "nobody" }, everything),
      ];
      for (const one of decisions) expect(await bed().commit([one])).toEqual([]);
      expect([await journaled(claimed), await journaled(ready)]).toEqual([[], []]);
    });

    test("a turn whose lease ran out but was not taken back commits", async () => {
      const { startAndClaim, moveClock } = bed();
      const run = await startAndClaim();
      await moveClock(2 * LEASE);
      expect(await bed().commit([decision(run)])).toHaveLength(1);
    });
  });

  test.each([
    ["completed", "failed"],
    ["failed", "completed"],
    ["dead", "completed"],
  ] as const)("I3: %s stays, whatever another decision of the turn says", async (status, other) => {
    const { startAndClaim, store, see } = bed();
    const run = await startAndClaim();
    await store.commitTurns([decision(run, { status })]);
    const before = await see(run);
    await store.commitTurns([decision(run, { status: other, entries: [entry(1)] })]);
    expect(await see(run)).toEqual(before);
  });

  test("what a branch did stands in the journal with the time at which it did it", async () => {
    const { startAndClaim, store, reads } = bed();
    const run = await startAndClaim();
    await store.commitTurns([
      decision(run, { entries: [entry(1, { tookMs: 1_000, agoMs: HOUR }), entry(2, { tookMs: 1_000 })] }),
    ]);
    const [earlier, now] = (await reads.journal(ref(run), 10, 0)) ?? [];
    for (const line of [earlier, now]) expect((line?.recordedAt ?? 0) - (line?.startedAt ?? 0)).toBe(1_000);
    expect((now?.recordedAt ?? 0) - (earlier?.recordedAt ?? 0)).toBe(HOUR);
  });

  describe("I4: what was delivered during the turn is not lost", () => {
    test.each(["waiting", "ready"] as const)("the run stays ready and due now: %s", async (status) => {
      const { startAndClaim, deliver, see, claim } = bed();
      const run = await startAndClaim();
      await deliver(run);
      const committed = await bed().commit([decision(run, { status, wakeInMs: HOUR })]);
      expect(committed).toEqual([{ ...ref(run), status: "ready", wakeInMs: 0 }]);
      expect(await see(run)).toMatchObject({ status: "ready" });
      expect(await claim(run)).toMatchObject({ turn: 2, deliveries: 1 });
    });

    test("what was delivered before the claim does not wake it again", async () => {
      const { start, claim, deliver } = bed();
      const run = await start();
      await deliver(run);
      const committed = await bed().commit([
        decision(await claim(run), { status: "waiting", wakeInMs: HOUR }),
      ]);
      expect(committed).toMatchObject([{ status: "waiting" }]);
    });

    test("a final decision is final all the same", async () => {
      const { startAndClaim, deliver } = bed();
      const run = await startAndClaim();
      await deliver(run);
      expect(await bed().commit([decision(run, { status: "completed" })])).toEqual([
        { ...ref(run), status: "completed", wakeInMs: null },
      ]);
    });
  });

  describe("a commit whose answer was lost", () => {
    test.each(["ready", "waiting", "completed", "failed", "dead"] as const)(
      "answers the same when tried again, and is written once: %s",
      async (status) => {
        const { startAndClaim, journaled, timers, see } = bed();
        const run = await startAndClaim();
        const sleeps = status === "waiting" ? { timers: [{ key: "nap", due: { inMs: HOUR } }] } : {};
        const wakes = status === "waiting" ? { wakeInMs: HOUR } : {};
        const same = decision(run, { status, entries: [entry(1)], ...sleeps, ...wakes });
        const [first] = await bed().commit([same]);
        const before = await see(run);
        const [second] = await bed().commit([same]);
        expect({ ...second, wakeInMs: null }).toEqual({ ...first, wakeInMs: null });
        expect((first?.wakeInMs ?? 0) - (second?.wakeInMs ?? 0)).toBeLessThan(MINUTE);
        expect(await see(run)).toEqual(before);
        expect(await journaled(run)).toEqual(["step 1"]);
        expect(await timers(run)).toEqual(status === "waiting" ? ["nap"] : []);
      },
    );

    test("answers for the turns that came through before and commits the others", async () => {
      const { startAndClaim, store, journaled } = bed();
      const [a, b] = [await startAndClaim(), await startAndClaim()];
      const decisions = [decision(a, { entries: [entry(1)] }), decision(b, { entries: [entry(1)] })];
      await store.commitTurns(decisions.slice(0, 1));
      expect(await bed().commit(decisions)).toHaveLength(2);
      expect([await journaled(a), await journaled(b)]).toEqual([["step 1"], ["step 1"]]);
    });

    test("answers nothing once the run has gone on without it", async () => {
      const { startAndClaim, claim, store } = bed();
      const run = await startAndClaim();
      const same = decision(run, { entries: [entry(1)] });
      await store.commitTurns([same]);
      await claim(run);
      expect(await bed().commit([same])).toEqual([]);
    });

    test("two tries at the same time write it once and both answer (G3)", async () => {
      const { startAndClaim, journaled } = bed();
      const run = await startAndClaim();
      const same = decision(run, { entries: [entry(1)] });
      const answers = await Promise.all([1, 2, 3, 4].map(() => bed().commit([same])));
      expect(answers.map((answer) => answer.map(ref))).toEqual([1, 2, 3, 4].map(() => [ref(run)]));
      expect(await journaled(run)).toEqual(["step 1"]);
    });
  });

  test("I12: a commit sets the count of lost turns back", async () => {
    const { startAndClaim, store, moveClock, see } = bed();
    const run = await startAndClaim();
    await moveClock(LEASE);
    await store.reclaimLeases(10, 5);
    await moveClock(MINUTE);
    const [again] = (await store.claimSuspect(run, LEASE)).claimed;
    if (again === undefined) throw new Error("not claimed");
    expect(await see(run)).toMatchObject({ lostTurns: 1 });
    await store.commitTurns([decision(again)]);
    expect(await see(run)).toMatchObject({ lostTurns: 0 });
  });

  test("I12: a lost turn spends none of a step's attempts", async () => {
    const { startAndClaim, claim, store, moveClock } = bed();
    const run = await startAndClaim();
    await store.commitTurns([decision(run, { entries: [retryingEntry(1)] })]);
    await claim(run);
    await moveClock(LEASE);
    await store.reclaimLeases(10, 5);
    await moveClock(MINUTE);
    const [again] = (await store.claimSuspect(run, LEASE)).claimed;
    expect(again?.journal).toMatchObject([{ attempt: 1 }]);
  });
}
