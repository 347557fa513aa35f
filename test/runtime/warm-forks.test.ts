/** Branches of one fork in one isolate. What they may share, and when they must replay for themselves. */
import { beforeEach, describe, expect, test } from "vitest";
import type { Replay } from "../../src/engine/plan/replay.ts";
import type { ClaimedBranch, ClaimedRun } from "../../src/engine/run.ts";
import { performBranch } from "../../src/runtime/perform-branch.ts";
import { WarmForks } from "../../src/runtime/warm-forks.ts";
import { claimedRun, entryOf, workflowOf } from "../engine/builders.ts";
import { PoisonedForks } from "../simulation/poisoned-forks.ts";
import { runtimeOf } from "./support.ts";

let calls: number;
let bodies: string[];
let forks: WarmForks;

beforeEach(() => {
  calls = 0;
  bodies = [];
  forks = new WarmForks();
});

/** A first step, then three at once that tell whose they are. */
const forking = workflowOf(async (step, id) => {
  calls += 1;
  await step.run("first", () => null);
  const note = (what: string) => () => void bodies.push(`${id} ${what}`);
  await Promise.all(["a", "b", "c"].map((key) => step.run(key, note(key))));
});

const journal = [entryOf({ seq: 1, key: "first" })];

/** Its function is told its id. */
const forkedRun = (runId: string, more: Partial<ClaimedRun> = {}) =>
  claimedRun({ runId, input: { json: runId, meta: null }, journal, ...more });

function branchOf(key: string, given: Partial<ClaimedBranch> = {}): ClaimedBranch {
  const { runId = "run-1" } = given;
  const run = forkedRun(runId);
  return { tenant: "default", runId, key, branchTurn: 1, attempt: 1, spent: 0, askedAt: 1, run, ...given };
}

function perform(branch: ClaimedBranch) {
  const runtime = { ...runtimeOf({ workflows: [forking] }), warmForks: forks };
  return performBranch(runtime, { branch, leaseUntil: runtime.clock.now() + 1_000 });
}

test("branches of one fork share one replay, and each performs its own step", async () => {
  for (const key of ["a", "b", "c"]) expect(await perform(branchOf(key))).toMatchObject({ key });
  expect(calls).toBe(1);
  expect(bodies).toEqual(["run-1 a", "run-1 b", "run-1 c"]);
});

test("a warm fork reads no journal", async () => {
  await perform(branchOf("a"));
  // The store of this runtime has no `readJournal`.
  const run = forkedRun("run-1", { journal: [], partial: true });
  expect(await perform(branchOf("b", { run }))).toMatchObject({ key: "b" });
});

test.each<[string, Partial<ClaimedBranch>]>([
  ["another run", { runId: "run-2" }],
  ["another tenant", { tenant: "other", run: forkedRun("run-1", { tenant: "other" }) }],
  ["another attempt", { attempt: 2, spent: 1 }],
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
    forks = new PoisonedForks(() => poison);
    await perform(branchOf("a"));
    const meant = { ...branchOf("b"), ...poison };
    const longer = [...journal, entryOf({ seq: 2, key: "a" })];
    const run = forkedRun(meant.runId, { journal: "askedAt" in poison ? longer : journal });
    await perform({ ...meant, run });
    expect(calls).toBe(2);
    expect(bodies).toEqual(["run-1 a", `${meant.runId} b`]);
  });
});

describe("what is kept is bounded", () => {
  const planner = { shed: () => {}, isOf: () => true } as unknown as Replay;

  test("in number: the longest unused go first", () => {
    forks = new WarmForks({ mostForks: 2 });
    const [one, two, three] = ["run-1", "run-2", "run-3"].map((runId) => branchOf("a", { runId }));
    if (one === undefined || two === undefined || three === undefined) throw new Error("there are three");
    forks.keep(one, planner);
    forks.keep(two, planner);
    expect(forks.find(one)).not.toBeNull();
    forks.keep(three, planner);
    expect([one, two, three].map((each) => forks.find(each) !== null)).toEqual([true, false, true]);
  });

  test("in bytes, of input and journal together", () => {
    forks = new WarmForks({ mostBytes: 1_000 });
    const heavy = (runId: string, bytes: number) => {
      const output = { json: "x".repeat(bytes), meta: null };
      const long = [entryOf({ seq: 1, key: "first", output })];
      return branchOf("a", { runId, run: forkedRun(runId, { journal: long }) });
    };
    forks.keep(heavy("run-1", 2_000), planner);
    expect(forks.find(heavy("run-1", 2_000))).toBeNull();
    forks.keep(heavy("run-2", 600), planner);
    forks.keep(heavy("run-3", 600), planner);
    expect(forks.find(heavy("run-2", 600))).toBeNull();
    expect(forks.find(heavy("run-3", 600))).not.toBeNull();
    forks.keep(heavy("run-3", 600), planner);
    forks.keep(heavy("run-4", 300), planner);
    expect(forks.find(heavy("run-3", 600))).not.toBeNull();
  });
});
