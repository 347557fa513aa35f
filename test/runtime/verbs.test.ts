/** The use cases that are one line of the store and a sentence for the caller. */
import { describe, expect, test } from "vitest";
import { RunNotFound, WrongStatus } from "../../src/engine/errors.ts";
import { RUN_STATUSES, type RunDetail } from "../../src/engine/run.ts";
import { awaitResult } from "../../src/runtime/await-result.ts";
import { cancelRun } from "../../src/runtime/cancel-run.ts";
import { discardRun } from "../../src/runtime/discard-run.ts";
import { reviveRun } from "../../src/runtime/revive-run.ts";
import { reclaimLeases, wakeDueRuns } from "../../src/runtime/sweep.ts";
import { runOf, runtimeOf } from "./support.ts";

const ref = { tenant: "default", runId: "run-1" };

describe("cancel, revive and discard", () => {
  test("are fine when the store did it, and cancelling twice is", async () => {
    for (const result of ["cancelled", "already_cancelled"] as const) {
      await expect(
        cancelRun(runtimeOf({ store: { cancelRun: async () => result } }), ref),
      ).resolves.toBeUndefined();
    }
    await expect(
      discardRun(runtimeOf({ store: { discardRun: async () => "discarded" } }), ref),
    ).resolves.toBeUndefined();
    const runtime = runtimeOf({ store: { reviveRun: async () => "revived" } });
    await reviveRun(runtime, ref);
    expect(runtime.woken).toEqual([{ ...ref, wakeInMs: 0 }]);
  });

  test("say that there is no such run", async () => {
    const store = {
      cancelRun: async () => "not_found" as const,
      reviveRun: async () => "not_found" as const,
      discardRun: async () => "not_found" as const,
    };
    for (const verb of [cancelRun, reviveRun, discardRun]) {
      const runtime = runtimeOf({ store });
      await expect(verb(runtime, ref)).rejects.toBeInstanceOf(RunNotFound);
      expect(runtime.woken).toEqual([]);
    }
  });

  test("say from which status they work", async () => {
    for (const status of RUN_STATUSES) {
      if (status === "cancelled") continue;
      const store = {
        cancelRun: async () => status,
        reviveRun: async () => status,
        discardRun: async () => status,
      };
      for (const verb of [cancelRun, reviveRun, discardRun]) {
        const outcome = verb(runtimeOf({ store }), ref);
        await expect(outcome).rejects.toBeInstanceOf(WrongStatus);
        await expect(outcome).rejects.toThrow(`Run run-1 is ${status}, so it cannot be `);
      }
    }
  });

  test("a revive survives a queue that fails", async () => {
    const runtime = runtimeOf({
      store: { reviveRun: async () => "revived" },
      wakeUps: { send: () => Promise.reject(new Error("queue down")) },
    });
    await expect(reviveRun(runtime, ref)).resolves.toBeUndefined();
    expect(runtime.reports).toEqual(["sending a wake-up after a revive: queue down"]);
  });
});

describe("a sweep", () => {
  test.each([
    ["reclaimLeases" as const, reclaimLeases, [3, 8]],
    ["collectDueRuns" as const, wakeDueRuns, [3, 60_000, 120_000]],
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
