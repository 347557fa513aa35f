import { expect, test } from "vitest";
import { Replay } from "../../src/engine/plan/replay.ts";
import { WarmRuns } from "../../src/runtime/warm-runs.ts";
import { claimedRun, entryOf, rest, workflowOf } from "../engine/support.ts";

const addresses = { hookUrl: () => "" };
const long = workflowOf(async (step) => {
  for (;;) await step.run("step", () => null);
});

const journal = (length: number) =>
  Array.from({ length }, (_, i) => entryOf({ seq: i + 1, key: i === 0 ? "step" : `step#${i + 1}` }));

const run = (turn: number, entries: number, runId = "run-1") =>
  claimedRun({ runId, turn, journal: journal(entries) });

function kept(turn = 20, entries = 20): WarmRuns {
  const warm = new WarmRuns();
  const claim = run(turn, entries);
  warm.keep(claim, entries, 0, new Replay(long, claim, rest, addresses));
  return warm;
}

test("a function is gone on with in the turn that follows directly, once", () => {
  const warm = kept();
  expect(warm.knownOf(run(21, 20))).toBe(20);
  expect(warm.take(run(21, 20))).not.toBeNull();
  expect(warm.take(run(21, 20))).toBeNull();
});

test.each([
  ["a turn was lost meanwhile", run(22, 20)],
  ["the journal has grown meanwhile", run(21, 21)],
  ["what it did was never committed", run(21, 19)],
  ["the turn is its own, claimed again", run(20, 20)],
  ["it is another run's", run(21, 20, "run-2")],
])("a function is not gone on with when %s", (_, claim) => {
  expect(kept().take(claim)).toBeNull();
});

test("functions of short runs are not kept", () => {
  expect(kept(5, 5).knownOf(run(6, 5))).toBeUndefined();
});

test("the longest unused go when there are too many", () => {
  const warm = new WarmRuns();
  for (let i = 0; i < 300; i++) {
    const claim = run(20, 20, `run-${i}`);
    warm.keep(claim, 20, 0, new Replay(long, claim, rest, addresses));
  }
  expect(warm.knownOf(run(21, 20, "run-0"))).toBeUndefined();
  expect(warm.knownOf(run(21, 20, "run-299"))).toBe(20);
});
