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

function kept(turn = 20, entries = 20, bytes = 0): WarmRuns {
  const warm = new WarmRuns();
  const claim = run(turn, entries);
  warm.keep(claim, entries, bytes, new Replay(long, claim, rest, addresses));
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

test("functions of short runs are not kept, unless they were given much", () => {
  expect(kept(5, 5).knownOf(run(6, 5))).toBeUndefined();
  expect(kept(5, 5, 100_000).knownOf(run(6, 5))).toBe(5);
});

test("a function of another run, or of an earlier turn, is not gone on with under whatever name it is kept", () => {
  const planner = new Replay(long, run(20, 20), rest, addresses);
  const warm = new WarmRuns();
  warm.keep(run(20, 20, "run-2"), 20, 0, planner);
  expect(warm.take(run(21, 20, "run-2"))).toBeNull();
  warm.keep(run(30, 20), 20, 0, planner);
  expect(warm.take(run(31, 20))).toBeNull();
});

test("what they are given is bounded: the longest unused go first, and what is too much is never kept", () => {
  const warm = new WarmRuns({ mostBytes: 1_000_000 });
  const keep = (runId: string, bytes: number) => {
    const claim = run(20, 20, runId);
    warm.keep(claim, 20, bytes, new Replay(long, claim, rest, addresses));
  };
  const known = () => ["a", "b", "c", "d"].filter((id) => warm.knownOf(run(21, 20, id)) !== undefined);
  for (const id of ["a", "b", "c"]) keep(id, 300_000);
  expect(known()).toEqual(["a", "b", "c"]);
  keep("a", 300_000);
  keep("d", 300_000);
  expect(known()).toEqual(["a", "c", "d"]);
  expect(warm.bytes).toBeLessThanOrEqual(1_000_000);
  keep("d", 1_000_000);
  expect(known()).toEqual(["a", "c"]);
  for (const id of ["a", "c"]) expect(warm.take(run(21, 20, id))).not.toBeNull();
  expect(warm.bytes).toBe(0);
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
