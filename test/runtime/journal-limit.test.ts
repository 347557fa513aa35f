/** I8 ends here: what cannot be replayed any more is not journaled any further. */
import { describe, expect, test } from "vitest";
import { JOURNAL_LIMIT_BYTES, JOURNAL_LIMIT_ENTRIES } from "../../src/engine/journal.ts";
import type { ClaimedRun } from "../../src/engine/run.ts";
import { claimedRun, entryOf, workflowOf } from "../engine/support.ts";
import { leased, runtimeOf, takeWhole } from "./support.ts";

/** What takes so many bytes as JSON. */
const sized = (bytes: number) => "x".repeat(bytes - 2);

/** The turn that performs a step of so many bytes, after which the run waits. */
async function afterStep(bytes: number, run: Partial<ClaimedRun>, compensated: string[] = []) {
  const workflow = workflowOf(async (step) => {
    await step.run("first", () => "", { compensate: () => void compensated.push("first") });
    await step.run("work", () => sized(bytes));
    await step.waitForSignal("go");
  });
  const runtime = runtimeOf({ workflows: [workflow] });
  return takeWhole(runtime, leased(runtime, run));
}

/** The first step is done, as the entry of this number. */
const done = (seq: number) => [entryOf({ seq, key: "first", output: { json: "", meta: null } })];

describe("a run whose journal has come to", () => {
  test.each([
    ["as many bytes as it may hold goes on", 0, "waiting"],
    ["one byte more fails, once it has undone what it did", 1, "compensating"],
  ])("%s (N2)", async (_, more, outcome) => {
    const journalBytes = JOURNAL_LIMIT_BYTES - 100 + more;
    const decision = await afterStep(100, { journal: done(1), journalBytes });
    expect(decision).toMatchObject({ entryBytes: 100, entries: [{ key: "work", outcome: "completed" }] });
    if (outcome === "waiting") expect(decision).toMatchObject({ status: "waiting", verdict: null });
    else {
      expect(decision?.verdict?.failure).toMatchObject({
        code: "journal_too_large",
        message: expect.stringContaining("32000001 bytes of values, more than 32000000"),
      });
    }
  });

  test.each([
    ["as many entries as it may have goes on", 0],
    ["one entry more fails, once it has undone what it did", 1],
  ])("%s (N1)", async (_, more) => {
    const decision = await afterStep(10, { journal: done(JOURNAL_LIMIT_ENTRIES - 1 + more) });
    if (more === 0) expect(decision).toMatchObject({ status: "waiting", verdict: null });
    else expect(decision?.verdict?.failure).toMatchObject({ code: "journal_too_large" });
  });

  test("too much already when it is replayed, as after a revive, fails again, and is undone all the same (N1)", async () => {
    const compensated: string[] = [];
    const run = { journal: done(1), journalBytes: JOURNAL_LIMIT_BYTES + 1 };
    const decision = await afterStep(100, run, compensated);
    expect(decision?.verdict?.failure?.code).toBe("journal_too_large");
    expect(compensated).toEqual(["first"]);
  });

  test("too much with its last step completes: nothing will replay it", async () => {
    const runtime = runtimeOf({ workflows: [workflowOf((step) => step.run("work", () => sized(100)))] });
    const run = claimedRun({ journalBytes: JOURNAL_LIMIT_BYTES });
    const decision = await takeWhole(runtime, leased(runtime, run));
    expect(decision).toMatchObject({ status: "completed", entryBytes: 100 });
  });

  test("failures count as well as outputs", async () => {
    const workflow = workflowOf((step) =>
      step.run("work", () => Promise.reject(new Error("x".repeat(500))), { retry: { maxAttempts: 1 } }),
    );
    const runtime = runtimeOf({ workflows: [workflow] });
    const decision = await takeWhole(runtime, leased(runtime));
    expect(decision?.entryBytes).toBeGreaterThan(500);
  });
});
