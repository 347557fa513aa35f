/** The use cases that are one line of the store and a sentence for the caller. */
import { describe, expect, test } from "vitest";
import type { Moved, ReviveResult, Store } from "../../src/engine/ports.ts";
import { RunNotFound, WrongStatus } from "../../src/engine/refusals.ts";
import { RUN_STATUSES, type RunDetail } from "../../src/engine/run.ts";
import { awaitResult } from "../../src/runtime/await-result.ts";
import { discardRun } from "../../src/runtime/discard-run.ts";
import { cancelRun, pauseRun, resumeRun } from "../../src/runtime/move-runs.ts";
import { publishMessage } from "../../src/runtime/publish-message.ts";
import { reviveRun } from "../../src/runtime/revive-run.ts";
import { sendSignals } from "../../src/runtime/send-signals.ts";
import { reclaimBranches, reclaimLeases, wakeDueBranches, wakeDueRuns } from "../../src/runtime/sweep.ts";
import { runOf, runtimeOf } from "./support.ts";

const ref = { tenant: "default", runId: "run-1" };

const due = [
  { ...ref, wakeInMs: 0 },
  { tenant: "default", runId: "child", wakeInMs: 0 },
];

/** A store of which every verb about one run gives the same answer. */
function answering(result: Moved["result"] | ReviveResult["result"]) {
  const moved = async () => ({ result, due });
  return {
    cancelRun: moved,
    pauseRun: moved,
    resumeRun: moved,
    reviveRun: moved,
    discardRun: async () => result,
  } as unknown as Partial<Store>;
}

const VERBS = [cancelRun, pauseRun, resumeRun, reviveRun, discardRun];

describe("cancel, pause, resume, revive and discard", () => {
  test("are fine when the store did it, and wake what is due because of it", async () => {
    for (const [verb, result] of [
      [cancelRun, "moved"],
      [pauseRun, "moved"],
      [resumeRun, "moved"],
      [reviveRun, "revived"],
    ] as const) {
      const runtime = runtimeOf({ store: answering(result) });
      await expect(verb(runtime, ref)).resolves.toBeUndefined();
      expect(runtime.woken).toEqual(due);
    }
    const runtime = runtimeOf({ store: { discardRun: async () => "discarded" } });
    await expect(discardRun(runtime, ref)).resolves.toBeUndefined();
    expect(runtime.woken).toEqual([]);
  });

  test("cancelling, pausing or resuming twice is fine", async () => {
    for (const verb of [cancelRun, pauseRun, resumeRun]) {
      await expect(verb(runtimeOf({ store: answering("unchanged") }), ref)).resolves.toBeUndefined();
    }
  });

  test("a cancel undoes what was done only when it is told to", async () => {
    const asked: boolean[] = [];
    const cancel = async (_ref: unknown, compensate: boolean): Promise<Moved> => {
      asked.push(compensate);
      return { result: "moved", due: [] };
    };
    const runtime = runtimeOf({ store: { cancelRun: cancel } });
    await cancelRun(runtime, ref);
    await cancelRun(runtime, ref, true);
    expect(asked).toEqual([false, true]);
  });

  test("say that there is no such run", async () => {
    for (const verb of VERBS) {
      const runtime = runtimeOf({ store: answering("not_found") });
      await expect(verb(runtime, ref)).rejects.toBeInstanceOf(RunNotFound);
      expect(runtime.woken).toEqual([]);
    }
  });

  test("say from which status they work", async () => {
    for (const status of RUN_STATUSES) {
      for (const verb of VERBS) {
        const runtime = runtimeOf({ store: answering(status) });
        const outcome = verb(runtime, ref);
        await expect(outcome).rejects.toBeInstanceOf(WrongStatus);
        await expect(outcome).rejects.toThrow(`Run run-1 is ${status}, so it cannot be `);
        expect(runtime.woken).toEqual([]);
      }
    }
  });

  test("survive a queue that fails", async () => {
    for (const [verb, result, when] of [
      [cancelRun, "moved", "after a run was cancelled"],
      [pauseRun, "moved", "after a run was paused"],
      [resumeRun, "moved", "after a run was resumed"],
      [reviveRun, "revived", "after a revive"],
    ] as const) {
      const runtime = runtimeOf({
        store: answering(result),
        wakeUps: { send: () => Promise.reject(new Error("queue down")) },
      });
      await expect(verb(runtime, ref)).resolves.toBeUndefined();
      expect(runtime.reports).toEqual([`sending wake-ups ${when}: queue down`]);
    }
  });
});

describe("sending signals", () => {
  const signal = { runId: "run-1", name: "go", payload: { json: 1, meta: null }, id: null };

  test("wakes the runs that are due because of them", async () => {
    const runtime = runtimeOf({
      store: { deliverSignals: async () => ({ sent: [{ runId: "run-1", result: "accepted" }], due }) },
    });
    await sendSignals(runtime, "default", [signal]);
    expect(runtime.woken).toEqual(due);
  });

  test("wakes those that were reached, and then throws why another was not", async () => {
    for (const [result, error] of [
      ["not_found", RunNotFound],
      ["completed", WrongStatus],
    ] as const) {
      const sent = [
        { runId: "run-1", result: "accepted" as const },
        { runId: "gone", result },
      ];
      const runtime = runtimeOf({ store: { deliverSignals: async () => ({ sent, due }) } });
      await expect(sendSignals(runtime, "default", [signal])).rejects.toBeInstanceOf(error);
      expect(runtime.woken).toEqual(due);
    }
  });
});

describe("publishing a message", () => {
  const message = { id: "m", channel: "news", payload: { json: 1, meta: null }, to: null };

  test("keeps it first, then brings it to whoever waits, and wakes them", async () => {
    const log: string[] = [];
    const runtime = runtimeOf({
      store: {
        publish: async () => void log.push("publish"),
        matchMessages: async (tenant, channel) => {
          log.push(`match ${tenant}/${channel}`);
          return due;
        },
      },
    });
    await publishMessage(runtime, "default", message);
    expect(log).toEqual(["publish", "match default/news"]);
    expect(runtime.woken).toEqual(due);
  });

  test("is done once it is kept: what fails after that is reported, and the sweep brings it", async () => {
    const runtime = runtimeOf({
      store: { publish: async () => {}, matchMessages: () => Promise.reject(new Error("down")) },
    });
    await expect(publishMessage(runtime, "default", message)).resolves.toBeUndefined();
    expect(runtime.reports).toEqual(["bringing a message: down"]);
  });

  test("that cannot be kept is an error", async () => {
    const runtime = runtimeOf({ store: { publish: () => Promise.reject(new Error("down")) } });
    await expect(publishMessage(runtime, "default", message)).rejects.toThrow("down");
  });
});

describe("a sweep", () => {
  test.each([
    ["reclaimLeases" as const, reclaimLeases, [3, 8]],
    ["reclaimBranches" as const, reclaimBranches, [3, 8]],
    ["collectDueRuns" as const, wakeDueRuns, [3, 60_000, 120_000]],
    ["collectDueBranches" as const, wakeDueBranches, [3, 60_000, 120_000]],
  ])("%s is bounded, wakes what it found, and says if there may be more", async (verb, sweep, bounds) => {
    for (const [swept, more] of [
      [2, false],
      [3, true],
    ] as const) {
      const asked: unknown[] = [];
      const store = {
        [verb]: async (...given: number[]) => {
          asked.push(given);
          return { due: [{ ...ref, wakeInMs: 9 }], swept };
        },
      };
      const runtime = runtimeOf({ store });
      expect(await sweep(runtime)).toBe(more);
      expect(asked).toEqual([bounds]);
      expect(runtime.woken).toEqual([{ ...ref, wakeInMs: 9 }]);
    }
  });
});

test("what a sweep finds due at once is woken over two seconds, in steps, and what is due later when it is (E3)", async () => {
  const found = Array.from({ length: 1_000 }, (_, i) => ({ ...ref, wakeInMs: i < 998 ? 0 : 60_000 }));
  const runtime = runtimeOf({ store: { collectDueRuns: async () => ({ due: found, swept: 1_000 }) } });
  await wakeDueRuns({ ...runtime, settings: { ...runtime.settings, sweepLimit: 1_000 } });
  const delays = runtime.woken.map(({ wakeInMs }) => wakeInMs);
  const steps = new Map(delays.map((ms) => [ms, delays.filter((other) => other === ms).length]));
  expect([...steps]).toEqual([
    ...Array.from({ length: 20 }, (_, i) => [i * 100, i < 19 ? 50 : 48]),
    [60_000, 2],
  ]);
});

test("a sweep reports every run that the database refuses to change, and wakes the others (E7)", async () => {
  const refused = ["a", "b"].map((runId) => ({ tenant: "default", runId, error: new Error("invalid page") }));
  const found = async () => ({ due: [{ ...ref, wakeInMs: 9 }], swept: 1, refused });
  const runtime = runtimeOf({ store: { reclaimLeases: found } });
  await reclaimLeases(runtime);
  const told = (id: string) => `sweeping run ${id}, which the database refuses to change: invalid page`;
  expect(runtime.reports).toEqual([told("a"), told("b")]);
  expect(runtime.woken).toEqual([{ ...ref, wakeInMs: 9 }]);
});

describe("awaiting a result", () => {
  const detail = (changes: Partial<RunDetail>): RunDetail => ({
    ...runOf(changes),
    input: { json: null, meta: null },
    output: null,
  });

  test("answers as soon as the run is over", async () => {
    let status: "running" | "failed" = "running";
    const runtime = runtimeOf({ reads: { run: async () => detail({ status }) } });
    const result = awaitResult(runtime, ref, 60_000);
    await runtime.clock.advance(5_000);
    status = "failed";
    await runtime.clock.advance(1_000);
    expect((await result).status).toBe("failed");
  });

  test("answers with the run as it is when the time is up, having asked ever more seldom", async () => {
    let asked = 0;
    const runtime = runtimeOf({
      reads: {
        run: async () => {
          asked += 1;
          return detail({ status: "waiting" });
        },
      },
    });
    const result = awaitResult(runtime, ref, 10_000);
    await runtime.clock.advance(10_000);
    expect((await result).status).toBe("waiting");
    expect(asked).toBeGreaterThan(5);
    expect(asked).toBeLessThan(20);
  });

  test("of no run says so", async () => {
    await expect(awaitResult(runtimeOf({ reads: { run: async () => null } }), ref, 0)).rejects.toBeInstanceOf(
      RunNotFound,
    );
  });
});
