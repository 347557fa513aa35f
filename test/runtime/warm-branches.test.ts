/** Branches of one run in one isolate. What they may share, and when they must replay for themselves. */
import { beforeEach, describe, expect, test } from "vitest";
import type { Replay } from "../../src/engine/plan/replay.ts";
import type { ClaimedBranch, ClaimedRun } from "../../src/engine/run.ts";
import { performBranch } from "../../src/runtime/perform-branch.ts";
import { WarmBranches } from "../../src/runtime/warm-branches.ts";
import { claimedRun, entryOf, workflowOf } from "../engine/builders.ts";
import { PoisonedBranches } from "../simulation/poisoned-branches.ts";
import { runtimeOf } from "./support.ts";

let calls: number;
let bodies: string[];
let warm: WarmBranches;

beforeEach(() => {
  calls = 0;
  bodies = [];
  warm = new WarmBranches();
});

/** A first step, then three at once that tell whose they are. */
const branching = workflowOf(async (step, id) => {
  calls += 1;
  await step.run("first", () => null);
  const note = (what: string) => () => void bodies.push(`${id} ${what}`);
  await Promise.all(["a", "b", "c"].map((key) => step.run(key, note(key))));
});

const journal = [entryOf({ seq: 1, key: "first" })];

/** Its function is told its id. */
const branchedRun = (runId: string, more: Partial<ClaimedRun> = {}) =>
  claimedRun({ runId, input: { json: runId, meta: null }, journal, ...more });

function branchOf(key: string, given: Partial<ClaimedBranch> = {}): ClaimedBranch {
  const { runId = "run-1" } = given;
  const run = branchedRun(runId);
  return { tenant: "default", runId, key, branchTurn: 1, attempt: 1, spent: 0, askedAt: 1, run, ...given };
}

function perform(branch: ClaimedBranch) {
  const runtime = { ...runtimeOf({ workflows: [branching] }), warmBranches: warm };
  return performBranch(runtime, { branch, leaseUntil: runtime.clock.now() + 1_000 });
}

test("branches that were asked for together share one replay, and each performs its own step", async () => {
  for (const key of ["a", "b", "c"]) expect(await perform(branchOf(key))).toMatchObject({ key });
  expect(calls).toBe(1);
  expect(bodies).toEqual(["run-1 a", "run-1 b", "run-1 c"]);
});

test("a warm branch reads no journal", async () => {
  await perform(branchOf("a"));
  // The store of this runtime has no `readJournal`.
  const run = branchedRun("run-1", { journal: [], partial: true });
  expect(await perform(branchOf("b", { run }))).toMatchObject({ key: "b" });
});

test.each<[string, Partial<ClaimedBranch>]>([
  ["another run", { runId: "run-2" }],
  ["another tenant", { tenant: "other", run: branchedRun("run-1", { tenant: "other" }) }],
  ["a second attempt", { attempt: 2, spent: 1, branchTurn: 2 }],
  ["a turn that was lost", { branchTurn: 3 }],
])("a branch of %s replays for itself", async (_, given) => {
  await perform(branchOf("a"));
  await perform(branchOf("b", given));
  expect(calls).toBe(2);
  expect(bodies).toEqual(["run-1 a", `${given.runId ?? "run-1"} b`]);
});

describe("where functions are kept as what they are not", () => {
  test.each<[string, { readonly runId: string } | { readonly askedAt: number }]>([
    ["of another run", { runId: "run-2" }],
    ["after another entry", { askedAt: 2 }],
  ])("%s, a branch replays for itself", async (_, poison) => {
    warm = new PoisonedBranches(() => poison);
    await perform(branchOf("a"));
    const meant = { ...branchOf("b"), ...poison };
    const longer = [...journal, entryOf({ seq: 2, key: "a" })];
    const run = branchedRun(meant.runId, { journal: "askedAt" in poison ? longer : journal });
    await perform({ ...meant, run });
    expect(calls).toBe(2);
    expect(bodies).toEqual(["run-1 a", `${meant.runId} b`]);
  });
});

describe("what is kept is bounded", () => {
  const planner = { shed: () => {}, isOf: () => true } as unknown as Replay;

  test("in number: the longest unused go first", () => {
    warm = new WarmBranches({ mostFunctions: 2 });
    const [one, two, three] = ["run-1", "run-2", "run-3"].map((runId) => branchOf("a", { runId }));
    if (one === undefined || two === undefined || three === undefined) throw new Error("there are three");
    warm.keep(one, planner);
    warm.keep(two, planner);
    expect(warm.find(one)).not.toBeNull();
    warm.keep(three, planner);
    expect([one, two, three].map((each) => warm.find(each) !== null)).toEqual([true, false, true]);
  });

  test("in bytes, of input and journal together", () => {
    warm = new WarmBranches({ mostBytes: 1_000 });
    const heavy = (runId: string, bytes: number) => {
      const output = { json: "x".repeat(bytes), meta: null };
      const long = [entryOf({ seq: 1, key: "first", output })];
      return branchOf("a", { runId, run: branchedRun(runId, { journal: long }) });
    };
    warm.keep(heavy("run-1", 2_000), planner);
    expect(warm.find(heavy("run-1", 2_000))).toBeNull();
    warm.keep(heavy("run-2", 600), planner);
    warm.keep(heavy("run-3", 600), planner);
    expect(warm.find(heavy("run-2", 600))).toBeNull();
    expect(warm.find(heavy("run-3", 600))).not.toBeNull();
    warm.keep(heavy("run-3", 600), planner);
    warm.keep(heavy("run-4", 300), planner);
    expect(warm.find(heavy("run-3", 600))).not.toBeNull();
  });
});
