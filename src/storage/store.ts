import type { Store } from "../engine/ports.ts";
import { cancelRun } from "./cancel-run.ts";
import { claimRuns, claimSuspect } from "./claim-runs.ts";
import { collectDueRuns } from "./collect-due-runs.ts";
import { commitTurns } from "./commit-turns.ts";
import type { Db } from "./db.ts";
import { discardRun } from "./discard-run.ts";
import { reclaimLeases } from "./reclaim-leases.ts";
import { recordTick } from "./record-tick.ts";
import { renewLease } from "./renew-lease.ts";
import { reviveRun } from "./revive-run.ts";
import { startRuns } from "./start-runs.ts";

/** The table of contents of this folder: one verb, one file. */
export function createStore(db: Db): Store {
  return {
    startRuns: (tenant, runs) => startRuns(db, tenant, runs),
    claimRuns: (refs, leaseMs) => claimRuns(db, refs, leaseMs),
    claimSuspect: (ref, leaseMs) => claimSuspect(db, ref, leaseMs),
    commitTurns: (decisions) => commitTurns(db, decisions),
    renewLease: (ref, turn, leaseMs) => renewLease(db, ref, turn, leaseMs),
    cancelRun: (ref) => cancelRun(db, ref),
    reviveRun: (ref) => reviveRun(db, ref),
    discardRun: (ref) => discardRun(db, ref),
    reclaimLeases: (limit, lostTurnLimit) => reclaimLeases(db, limit, lostTurnLimit),
    collectDueRuns: (limit, graceMs, horizonMs) => collectDueRuns(db, limit, graceMs, horizonMs),
    recordTick: () => recordTick(db),
  };
}
