import { beforeEach, expect, test } from "vitest";
import type { Store, WakeUps } from "../../src/engine/ports.ts";
import type { PhaseTimes, Timings } from "../../src/engine/timings.ts";
import type { Loopback } from "../../src/runtime/dispatch-turns.ts";
import type { LeasedTurn } from "../../src/runtime/take-turn.ts";
import { Stopwatch } from "../../src/stopwatch.ts";
import { claimedRun } from "../engine/support.ts";
import { decision, entry } from "../storage/support/builders.ts";

let now = 0;
let stopwatch: Stopwatch;
let kept: PhaseTimes[];
const timings: Pick<Timings, "add"> = {
  add: async (times) => void kept.push(...times),
};

beforeEach(() => {
  now = 1_000;
  kept = [];
  stopwatch = new Stopwatch(() => now);
});

/** What takes so long. */
const lasting = async <Value>(ms: number, value: Value): Promise<Value> => {
  await Promise.resolve();
  now += ms;
  return value;
};

async function measured(): Promise<Record<string, [turns: number, totalMs: number]>> {
  await stopwatch.flush(timings);
  return Object.fromEntries(kept.map(({ phase, turns, totalMs }) => [phase, [turns, totalMs]]));
}

const leased: LeasedTurn = { run: claimedRun({}), leaseUntil: 9_999 };

test("a turn's time falls into its phases", async () => {
  const decided = decision(leased.run, {
    entries: [
      entry(1, { tookMs: 30 }),
      entry(2, { kind: "sleep", tookMs: 5_000 }),
      // Of a branch, which was performed elsewhere.
      entry(3, { tookMs: 700, agoMs: 10 }),
    ],
  });
  const inner: Loopback = {
    take: async (turn) => {
      now += 3;
      const taken = await stopwatch.turn(turn, () => lasting(40, decided));
      now += 4;
      return taken;
    },
    perform: async () => null,
  };
  const store = stopwatch.store({
    claimRuns: () => lasting(6, { claimed: [leased.run, leased.run], suspects: [] }),
    commitTurns: () => lasting(8, { turns: [], due: [] }),
  } as unknown as Store);
  const wakeUps = stopwatch.wakeUps({ send: () => lasting(2, undefined) } as unknown as WakeUps);
  stopwatch.note("queue", 5);
  await store.claimRuns([], 1);
  const outcome = await stopwatch.loopback(inner).take(leased);
  if (outcome === null || outcome === "cold") throw new Error("no decision");
  now += 11;
  await store.commitTurns([outcome]);
  await wakeUps.send([{ tenant: "default", runId: "run-1", wakeInMs: 0 }]);
  expect(await measured()).toEqual({
    queue: [1, 5],
    claim: [2, 12],
    invocation: [1, 7],
    replay: [1, 10],
    step: [1, 30],
    group: [1, 11],
    commit: [1, 8],
    "wake-up": [1, 2],
  });
});

test("a turn that performs nothing has no step", async () => {
  const slept = decision(leased.run, { entries: [entry(1, { kind: "sleep", tookMs: 60_000 })] });
  await stopwatch.turn(leased, () => lasting(4, slept));
  expect(await measured()).toEqual({ replay: [1, 4] });
});

test("of a turn in another isolate nobody here can tell the way from the work", async () => {
  const elsewhere: Loopback = { take: () => lasting(50, decision(leased.run)), perform: async () => null };
  await stopwatch.loopback(elsewhere).take(leased);
  expect(await measured()).toEqual({});
});

test("an invocation that dies is measured by nobody, and its error goes on", async () => {
  const dying: Loopback = {
    take: () => Promise.reject(new Error("out of memory")),
    perform: async () => null,
  };
  await expect(stopwatch.loopback(dying).take(leased)).rejects.toThrow("out of memory");
  expect(await measured()).toEqual({});
});

test("what was measured is kept for ten seconds, then written once", async () => {
  stopwatch.note("queue", 5);
  now += 9_999;
  await stopwatch.flushOld(timings);
  expect(kept).toEqual([]);
  now += 1;
  await stopwatch.flushOld(timings);
  await stopwatch.flushOld(timings);
  await stopwatch.flush(timings);
  expect(kept).toHaveLength(1);
});

test("clocks that differ make no time negative", async () => {
  stopwatch.note("queue", -20);
  expect(await measured()).toEqual({ queue: [1, 0] });
});
