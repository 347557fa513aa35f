import { expect, test } from "vitest";
import { CronWatch } from "../../src/cron/watch.ts";
import type { Given } from "./support.ts";
import { runtimeOf } from "./support.ts";

const MINUTE_MS = 60_000;
const NOW = 1_000 * MINUTE_MS;

/** A watch over a cron whose last tick is so old; `asked` counts the questions, `swept` the sweeps. */
function watched(tickAgeMs: number | null, reads: Given["reads"] = {}, idleForMs: number | null = null) {
  const count = { asked: 0, swept: 0 };
  const note = { now: NOW, lastTickAt: tickAgeMs === null ? null : NOW - tickAgeMs };
  const runtime = runtimeOf({
    reads: {
      health: async () => {
        count.asked += 1;
        return { ...note, idleUntil: idleForMs === null ? null : NOW + idleForMs };
      },
      ...reads,
    },
    store: {
      reclaimLeases: async () => {
        count.swept += 1;
        return { due: [], swept: 0 };
      },
    },
  });
  const watch = new CronWatch();
  const pass = async (ms: number) => {
    note.now += ms;
    await runtime.clock.advance(ms);
  };
  return { runtime, watch, count, note, pass, batch: () => watch.sweepIfLate(runtime) };
}

test.each([
  ["young", 2 * MINUTE_MS - 1, 0],
  ["two minutes old", 2 * MINUTE_MS, 1],
  ["hours old", 300 * MINUTE_MS, 1],
  ["still to come", null, 0],
])("while the last tick is %s, a batch sweeps or does not (E10)", async (_, ageMs, swept) => {
  const { batch, count } = watched(ageMs);
  await batch();
  expect(count).toEqual({ asked: 1, swept });
});

test("an isolate asks at most once a minute, however many batches it has (E10)", async () => {
  const { batch, count, runtime } = watched(300 * MINUTE_MS);
  await Promise.all([batch(), batch(), batch()]);
  await runtime.clock.advance(MINUTE_MS - 1);
  await batch();
  expect(count).toEqual({ asked: 1, swept: 1 });
  await runtime.clock.advance(1);
  await Promise.all([batch(), batch()]);
  expect(count).toEqual({ asked: 2, swept: 2 });
});

test("an isolate that the cron ticked in asks nothing for a minute (E10)", async () => {
  const { batch, count, runtime, watch } = watched(300 * MINUTE_MS);
  watch.ticked(runtime);
  await runtime.clock.advance(MINUTE_MS - 1);
  await batch();
  expect(count.asked).toBe(0);
});

test("a database that does not answer is reported, and fails no batch", async () => {
  const { batch, runtime } = watched(0, { health: () => Promise.reject(new Error("down")) });
  await batch();
  expect(runtime.reports).toEqual(["asking for the last tick: down"]);
});

test("a batch or two sweep for no cron that is idle (E10)", async () => {
  const { batch, count, pass } = watched(30 * MINUTE_MS, {}, 30 * MINUTE_MS);
  await batch();
  await pass(3 * MINUTE_MS);
  await batch();
  expect(count).toEqual({ asked: 2, swept: 0 });
});

test("a cron that is idle and notices no traffic for four minutes is swept for (E10)", async () => {
  const { batch, count, pass } = watched(30 * MINUTE_MS, {}, 30 * MINUTE_MS);
  await batch();
  await pass(4 * MINUTE_MS);
  await batch();
  expect(count.swept).toBe(1);
});

test("a cron that was idle and has swept since is given as long again (E10)", async () => {
  const { batch, count, pass, note } = watched(30 * MINUTE_MS, {}, 30 * MINUTE_MS);
  await batch();
  await pass(3 * MINUTE_MS);
  note.lastTickAt = note.now;
  await batch();
  await pass(3 * MINUTE_MS);
  await batch();
  expect(count.swept).toBe(0);
});

test.each([
  ["a minute ago", -MINUTE_MS, 0],
  ["two minutes ago", -2 * MINUTE_MS, 1],
])(
  "a cron that was to come back from its idleness %s is swept for or is not (E10)",
  async (_, idleForMs, swept) => {
    const { batch, count } = watched(60 * MINUTE_MS, {}, idleForMs);
    await batch();
    expect(count.swept).toBe(swept);
  },
);
