/** When ticks do without the database, and when they must not. What follows from it in workerd is in worker/idle.test.ts. */
import { expect, test } from "vitest";
import { tick } from "../../src/cron/tick.ts";
import type { Agenda, Idle, Noted, Store } from "../../src/engine/ports.ts";
import { runtimeOf } from "./support.ts";

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const NOON = Date.UTC(2026, 0, 1, 12);
/** As in the settings of `runtimeOf`: how far ahead wake-ups are sent. */
const HORIZON_MS = 120_000;

interface Given {
  readonly mark?: string | null;
  readonly idle?: Idle | null;
  readonly markAgeMs?: number;
  readonly dueInMs?: number | null;
  readonly store?: Partial<Store>;
  readonly agenda?: Partial<Agenda>;
  readonly safetySweepMs?: number;
}

const NOTHING = { due: [], swept: 0 };

/** A cron over a database in which nothing is due, that may say when something will be. */
function cron(given: Given = {}) {
  const { mark = "a", idle = null, markAgeMs = HOUR_MS, dueInMs = null } = given;
  const asked: string[] = [];
  const idles: Idle[] = [];
  const marks: string[] = [];
  const note =
    <T>(verb: string, answer: T) =>
    async (): Promise<T> => {
      asked.push(verb);
      return answer;
    };
  const runtime = runtimeOf({
    store: {
      reclaimLeases: note("sweep", NOTHING),
      reclaimBranches: note("sweep", NOTHING),
      collectDueRuns: note("sweep", NOTHING),
      collectDueBranches: note("sweep", NOTHING),
      matchMessages: note("sweep", []),
      deleteOldMessages: note("sweep", 0),
      routeEvents: note("sweep", 0),
      forgetEvents: note("sweep", 0),
      recordTick: note("recordTick", markAgeMs),
      nextDue: note("nextDue", dueInMs),
      recordIdle: note("recordIdle", undefined),
      ...given.store,
    },
    bulks: { claim: async () => [] },
    wakeUps: { sweepAgain: async () => {} },
    agenda: {
      read: async (): Promise<Noted> => ({ mark, idle }),
      mark: async (one) => void marks.push(one),
      idle: async (one) => void idles.push(one),
      ...given.agenda,
    },
  });
  const safetySweepMs = given.safetySweepMs ?? HOUR_MS;
  const settings = { ...runtime.settings, safetySweepMs };
  return { runtime, asked, idles, marks, tick: (at = NOON) => tick({ ...runtime, settings }, at) };
}

const IDLE: Idle = { mark: "a", from: NOON, until: NOON + HOUR_MS };

test.each([
  ["at its beginning", IDLE, NOON],
  ["to its end", IDLE, NOON + HOUR_MS - 1],
])("an idle tick asks the database for nothing, %s", async (_, idle, at) => {
  const { tick, asked, idles } = cron({ idle });
  await tick(at);
  expect(asked).toEqual([]);
  expect(idles).toEqual([]);
});

test.each<[string, Partial<Given>, number]>([
  ["once its time is over", { idle: IDLE }, NOON + HOUR_MS],
  ["when it comes from before its time", { idle: IDLE }, NOON - 1],
  ["when somebody has marked since", { idle: IDLE, mark: "b" }, NOON],
  ["when the mark is gone", { idle: IDLE, mark: null }, NOON],
  ["when nothing says that it is idle", { idle: null }, NOON],
  [
    "when the agenda does not answer",
    { agenda: { read: () => Promise.reject(new Error("no answer")) } },
    NOON,
  ],
])("a tick sweeps %s", async (_, given, at) => {
  const { tick, asked } = cron(given);
  await tick(at);
  expect(asked.filter((verb) => verb === "sweep")).toHaveLength(8);
  expect(asked).toContain("recordTick");
});

test.each([
  ["nothing lives", null, HOUR_MS],
  ["the next is far off", 30 * HOUR_MS, HOUR_MS],
  ["the next is due in half an hour", HOUR_MS / 2, HOUR_MS / 2 - HORIZON_MS],
])(
  "where %s, the ticks after it are idle until the horizon before that, an hour at most",
  async (_, dueInMs, idleMs) => {
    const { tick, idles, asked } = cron({ dueInMs });
    await tick();
    expect(idles).toEqual([{ mark: "a", from: NOON, until: NOON + idleMs }]);
    expect(asked).toContain("recordIdle");
  },
);

test.each<[string, Partial<Given>]>([
  ["something is due", { dueInMs: 0 }],
  ["the next is due soon", { dueInMs: HORIZON_MS + MINUTE_MS }],
  ["the mark is new", { markAgeMs: 3 * MINUTE_MS - 1 }],
  ["every tick is to sweep", { safetySweepMs: 0 }],
  ["a sweep has failed", { store: { reclaimLeases: () => Promise.reject(new Error("no")) } }],
  ["a sweep has found as much as it may", { store: { reclaimLeases: async () => ({ due: [], swept: 3 }) } }],
  [
    "messages were brought",
    { store: { matchMessages: async () => [{ tenant: "default", runId: "1", wakeInMs: 0 }] } },
  ],
  ["the tick could not be recorded", { store: { recordTick: () => Promise.reject(new Error("no")) } }],
  ["the agenda did not answer", { agenda: { read: () => Promise.reject(new Error("no")) } }],
])("no tick after it is idle where %s", async (_, given) => {
  const { tick, idles } = cron(given);
  await tick();
  expect(idles).toEqual([]);
});

test("what the database does not know, the agenda is not told", async () => {
  const { tick, idles, runtime } = cron({ store: { recordIdle: () => Promise.reject(new Error("cut")) } });
  await tick();
  expect(idles).toEqual([]);
  expect(runtime.reports).toEqual(["letting the cron idle: cut"]);
});

test("a sweep that cannot be noted is reported, and the cron comes to be idle all the same", async () => {
  const { tick, idles, runtime } = cron();
  Object.assign(runtime.timings, { noteSweeps: () => Promise.reject(new Error("cut")) });
  await tick();
  expect(runtime.reports).toEqual(["noting what the sweeps did: cut"]);
  expect(idles).toHaveLength(1);
});

test("where there was never a mark, the cron lays the first", async () => {
  const { tick, marks, idles } = cron({ mark: null });
  await tick();
  expect(marks).toHaveLength(1);
  expect(idles).toEqual([]);
});

test("without an agenda every tick sweeps, and asks for no more than that", async () => {
  const { runtime, asked } = cron();
  await tick({ ...runtime, agenda: null }, NOON);
  expect(asked.filter((verb) => verb === "sweep")).toHaveLength(8);
  expect(asked).not.toContain("nextDue");
});
