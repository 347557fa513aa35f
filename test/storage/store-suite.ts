/** What every store promises, verb by verb. `make` gives the store; an afterEach looks for stuck runs and broken rows. */
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import type { Store } from "../../src/engine/ports.ts";
import { appendStepsSuite } from "./suite/append-steps.ts";
import { boundedClaimsSuite } from "./suite/bounded-claims.ts";
import { cancelRunSuite } from "./suite/cancel-run.ts";
import { channelsSuite } from "./suite/channels.ts";
import { claimBranchesSuite } from "./suite/claim-branches.ts";
import { claimRunsSuite } from "./suite/claim-runs.ts";
import { collectDueRunsSuite } from "./suite/collect-due-runs.ts";
import { commitBranchesSuite } from "./suite/commit-branches.ts";
import { commitPartsSuite } from "./suite/commit-parts.ts";
import { commitTurnsSuite } from "./suite/commit-turns.ts";
import { deliverSignalsSuite } from "./suite/deliver-signals.ts";
import { deliverWordSuite } from "./suite/deliver-word.ts";
import { discardRunSuite } from "./suite/discard-run.ts";
import { forkRunSuite, startOrSignalSuite } from "./suite/fork-run.ts";
import { groupsSuite } from "./suite/groups.ts";
import { holdBranchSuite } from "./suite/hold-branch.ts";
import { hooksSuite } from "./suite/hooks.ts";
import { listsSuite } from "./suite/lists.ts";
import { outboxSuite } from "./suite/outbox.ts";
import { readsSuite } from "./suite/reads.ts";
import { reclaimBranchesSuite } from "./suite/reclaim-branches.ts";
import { reclaimLeasesSuite } from "./suite/reclaim-leases.ts";
import { renewLeaseSuite } from "./suite/renew-lease.ts";
import { reviveRunSuite } from "./suite/revive-run.ts";
import { startRunsSuite } from "./suite/start-runs.ts";
import { ticksSuite } from "./suite/ticks.ts";
import { transactionsSuite } from "./suite/transactions.ts";
import { treesSuite } from "./suite/trees.ts";
import { type Bed, type StoreUnderTest, toBed } from "./support/bed.ts";

export function storeSuite(make: () => Promise<StoreUnderTest>): void {
  const called = new Set<string>();
  const bed = useBed(async () => noting(await make(), called));
  describe("startRuns", () => startRunsSuite(bed));
  describe("startRuns with signals", () => startOrSignalSuite(bed));
  describe("forkRun", () => forkRunSuite(bed));
  describe("claimRuns and claimSuspect", () => claimRunsSuite(bed));
  describe("what a claim brings", () => boundedClaimsSuite(bed));
  describe("commitTurns", () => commitTurnsSuite(bed));
  describe("commitTurns, in its parts", () => commitPartsSuite(bed));
  describe("renewLease", () => renewLeaseSuite(bed));
  describe("cancelRun", () => cancelRunSuite(bed));
  describe("cancelRun, pauseRun and resumeRun of a tree", () => treesSuite(bed));
  describe("deliverSignals", () => deliverSignalsSuite(bed));
  describe("appendSteps and mutations", () => appendStepsSuite(bed));
  describe("deliverWord", () => deliverWordSuite(bed));
  describe("reviveRun", () => reviveRunSuite(bed));
  describe("discardRun", () => discardRunSuite(bed));
  describe("reclaimLeases", () => reclaimLeasesSuite(bed));
  describe("collectDueRuns", () => collectDueRunsSuite(bed));
  describe("channels", () => channelsSuite(bed));
  describe("groups", () => groupsSuite(bed));
  describe("hooks", () => hooksSuite(bed));
  describe("claimBranches and claimSuspectBranch", () => claimBranchesSuite(bed));
  describe("commitBranches", () => commitBranchesSuite(bed));
  describe("renewBranch and startBranch", () => holdBranchSuite(bed));
  describe("reclaimBranches and collectDueBranches", () => reclaimBranchesSuite(bed));
  describe("transactions", () => transactionsSuite(bed));
  describe("outbox", () => outboxSuite(bed));
  describe("ticks", () => ticksSuite(bed));
  describe("reads", () => readsSuite(bed));
  describe("reads, lists of runs", () => listsSuite(bed));
  test("every verb of the store was called", () => {
    expect(Object.keys(bed().store).filter((verb) => !called.has(verb))).toEqual([]);
  });
}

/** The same store, which notes the verbs that are called. */
function noting(under: StoreUnderTest, called: Set<string>): StoreUnderTest {
  const noted = (store: Store) =>
    new Proxy(store, {
      get(verbs, name, receiver) {
        called.add(String(name));
        return Reflect.get(verbs, name, receiver);
      },
    });
  return { ...under, store: noted(under.store), sized: (sizes) => noted(under.sized(sizes)) };
}

/** One store for all tests of a file; each test finds it empty and must leave no run stuck. */
export function useBed(make: () => Promise<StoreUnderTest>): () => Bed {
  let bed: Bed | undefined;
  beforeAll(async () => {
    bed = toBed(await make());
  });
  afterEach(async () => {
    const stuck = await bed?.stuckRuns();
    const violations = await bed?.violations();
    await bed?.clear();
    expect(stuck).toEqual([]);
    expect(violations).toEqual([]);
  });
  afterAll(() => bed?.close());
  return () => {
    if (bed === undefined) throw new Error("the store is not there yet");
    return bed;
  };
}
