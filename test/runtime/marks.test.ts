import { expect, test } from "vitest";
import { runtimeOf, settle } from "./support.ts";

const MINUTE_MS = 60_000;

/** A runtime whose agenda notes what is done to it. */
function marking(mark: () => Promise<void> = async () => {}) {
  const done: string[] = [];
  const sweeps: (number | undefined)[] = [];
  const runtime = runtimeOf({
    agenda: {
      read: async () => ({ mark: null, idle: null }),
      idle: async () => {},
      mark: async () => {
        done.push("mark");
        await mark();
      },
    },
    wakeUps: { sweepAgain: async (_, inSeconds) => void sweeps.push(inSeconds) },
  });
  const work = (name = "work", ms = 0) =>
    runtime.marks.during(runtime, async () => {
      done.push(name);
      if (ms > 0) await runtime.clock.sleep(ms);
      return name;
    });
  return { runtime, done, sweeps, work };
}

test("a change is marked before it is made, and its answer is passed on", async () => {
  const { done, work } = marking();
  expect(await work("a change")).toBe("a change");
  expect(done).toEqual(["mark", "a change"]);
});

test("what an isolate changes within a minute has one mark", async () => {
  const { runtime, done, work } = marking();
  for (let i = 0; i < 100; i++) await work();
  await runtime.clock.advance(MINUTE_MS - 1);
  await work();
  expect(done.filter((what) => what === "mark")).toHaveLength(1);
  await runtime.clock.advance(1);
  await work();
  expect(done.filter((what) => what === "mark")).toHaveLength(2);
});

test("a change that took longer than its mark stands is marked again before it is answered", async () => {
  const { runtime, done, work } = marking();
  const answer = work("slow", MINUTE_MS);
  await settle();
  expect(done).toEqual(["mark", "slow"]);
  await runtime.clock.advance(MINUTE_MS);
  await answer;
  expect(done).toEqual(["mark", "slow", "mark"]);
});

test("a change that fails is marked all the same, and fails as it did", async () => {
  const { runtime, done } = marking();
  const failing = runtime.marks.during(runtime, () => Promise.reject(new Error("no")));
  await expect(failing).rejects.toThrow("no");
  expect(done).toEqual(["mark"]);
});

test("changes that come together wait for one mark", async () => {
  const stored = Promise.withResolvers<void>();
  const { runtime, done, work } = marking(() => stored.promise);
  const all = Promise.all([work("one"), work("two"), work("three")]);
  await settle();
  expect(done).toEqual(["mark"]);
  stored.resolve();
  await settle();
  await runtime.clock.advance(10);
  await all;
  expect(done).toEqual(["mark", "one", "two", "three"]);
});

test("a change does not wait for ever for the mark of a request that is gone", async () => {
  let isFirst = true;
  const { runtime, done, work } = marking(() => {
    const first = isFirst;
    isFirst = false;
    return first ? new Promise(() => {}) : Promise.resolve();
  });
  void work("gone");
  await settle();
  const answer = work("here");
  await settle();
  await runtime.clock.advance(5_000);
  expect(await answer).toBe("here");
  expect(done).toEqual(["mark", "mark", "here"]);
});

test("where the agenda takes no mark, the queue is asked for a sweep, once a minute, and the change is made", async () => {
  const { runtime, sweeps, work } = marking(() => Promise.reject(new Error("429")));
  await work();
  await work();
  expect(sweeps).toEqual([60]);
  expect(runtime.reports).toEqual(["marking the agenda: 429"]);
  await runtime.clock.advance(MINUTE_MS);
  await work();
  expect(sweeps).toEqual([60, 60]);
});

test("a clock that is set back makes no mark stand longer", async () => {
  const { runtime, done, work } = marking();
  await runtime.clock.advance(MINUTE_MS);
  await work();
  const clock = { now: () => 0, sleep: async () => {}, rest: runtime.clock.rest };
  await runtime.marks.during({ ...runtime, clock }, async () => "later");
  expect(done).toEqual(["mark", "work", "mark"]);
});

test("without an agenda nothing is marked", async () => {
  const runtime = runtimeOf();
  expect(await runtime.marks.during(runtime, async () => "done")).toBe("done");
});
