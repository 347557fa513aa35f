/** What every store promises, verb by verb. `make` gives the store; an afterEach looks for stuck runs. */
import { afterAll, afterEach, beforeAll, describe, expect } from "vitest";
import { cancelRunSuite } from "./suite/cancel-run.ts";
import { claimRunsSuite } from "./suite/claim-runs.ts";
import { collectDueRunsSuite } from "./suite/collect-due-runs.ts";
import { commitTurnsSuite } from "./suite/commit-turns.ts";
import { discardRunSuite } from "./suite/discard-run.ts";
import { readsSuite } from "./suite/reads.ts";
import { reclaimLeasesSuite } from "./suite/reclaim-leases.ts";
import { renewLeaseSuite } from "./suite/renew-lease.ts";
import { reviveRunSuite } from "./suite/revive-run.ts";
import { startRunsSuite } from "./suite/start-runs.ts";
import { type Bed, type StoreUnderTest, toBed } from "./support/bed.ts";

export function storeSuite(make: () => Promise<StoreUnderTest>): void {
  const bed = useBed(make);
  describe("startRuns", () => startRunsSuite(bed));
  describe("claimRuns and claimSuspect", () => claimRunsSuite(bed));
  describe("commitTurns", () => commitTurnsSuite(bed));
  describe("renewLease", () => renewLeaseSuite(bed));
  describe("cancelRun", () => cancelRunSuite(bed));
  describe("reviveRun", () => reviveRunSuite(bed));
  describe("discardRun", () => discardRunSuite(bed));
  describe("reclaimLeases", () => reclaimLeasesSuite(bed));
  describe("collectDueRuns", () => collectDueRunsSuite(bed));
  describe("reads", () => readsSuite(bed));
}

/** One store for all tests of a file; each test finds it empty and must leave no run stuck. */
export function useBed(make: () => Promise<StoreUnderTest>): () => Bed {
  let bed: Bed | undefined;
  beforeAll(async () => {
    bed = toBed(await make());
  });
  afterEach(async () => {
    const stuck = await bed?.stuckRuns();
    await bed?.clear();
    expect(stuck).toEqual([]);
  });
  afterAll(() => bed?.close());
  return () => {
    if (bed === undefined) throw new Error("the store is not there yet");
    return bed;
  };
}
