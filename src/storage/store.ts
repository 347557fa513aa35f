import type { Store } from "../engine/ports.ts";
import { appendSteps, mutations } from "./append-steps.ts";
import { cancelRun } from "./cancel-run.ts";
import { claimBranches, claimSuspectBranch } from "./claim-branches.ts";
import { claimRuns, claimSuspect } from "./claim-runs.ts";
import { deleteOldMessages } from "./clean-up.ts";
import { collectDueBranches } from "./collect-due-branches.ts";
import { collectDueRuns } from "./collect-due-runs.ts";
import { commitBranches } from "./commit-branches.ts";
import { commitTurns } from "./commit-turns.ts";
import type { Db } from "./db.ts";
import { deliverSignals } from "./deliver-signals.ts";
import { deliverWord } from "./deliver-word.ts";
import { discardRun } from "./discard-run.ts";
import { forkRun } from "./fork-run.ts";
import { signalGroup } from "./groups.ts";
import { renewBranch, startBranch } from "./hold-branch.ts";
import { matchMessages } from "./match-messages.ts";
import { nextDue } from "./next-due.ts";
import { forgetEvents, redeliverEvent } from "./outbox.ts";
import { pauseRun, resumeRun } from "./pause-run.ts";
import { publish } from "./publish.ts";
import { readDelivery, readJournal } from "./read-journal.ts";
import { receiveHook } from "./receive-hook.ts";
import { reclaimBranches } from "./reclaim-branches.ts";
import { reclaimLeases } from "./reclaim-leases.ts";
import { renewLease } from "./renew-lease.ts";
import { reviveRun } from "./revive-run.ts";
import { claimSends, routeEvents, settleSends } from "./send-events.ts";
import { SIZES } from "./sizes.ts";
import { startRuns } from "./start-runs.ts";
import { subscribe, unsubscribe } from "./subscribe.ts";
import { recordIdle, recordTick } from "./ticks.ts";

/** The table of contents of this folder: one verb, one file. */
export function createStore(db: Db, sizes = SIZES): Store {
  return {
    startRuns: (tenant, runs, signals) => startRuns(db, tenant, runs, signals),
    claimRuns: (claims, leaseMs, known) => claimRuns(db, sizes, claims, leaseMs, known),
    readJournal: (ref, part, after) => readJournal(db, sizes, ref, part, after),
    readDelivery: (ref, id) => readDelivery(db, ref, id),
    claimSuspect: (ref, leaseMs) => claimSuspect(db, sizes, ref, leaseMs),
    commitTurns: (decisions) => commitTurns(db, decisions),
    renewLease: (ref, turn, leaseMs) => renewLease(db, ref, turn, leaseMs),
    claimBranches: (refs, leaseMs, known) => claimBranches(db, sizes, refs, leaseMs, known),
    claimSuspectBranch: (ref, leaseMs) => claimSuspectBranch(db, sizes, ref, leaseMs),
    startBranch: (ref, branchTurn) => startBranch(db, ref, branchTurn),
    renewBranch: (ref, branchTurn, leaseMs) => renewBranch(db, ref, branchTurn, leaseMs),
    commitBranches: (outcomes) => commitBranches(db, outcomes),
    cancelRun: (ref, compensate) => cancelRun(db, ref, compensate),
    pauseRun: (ref) => pauseRun(db, ref),
    resumeRun: (ref) => resumeRun(db, ref),
    reviveRun: (ref) => reviveRun(db, ref),
    discardRun: (ref) => discardRun(db, ref),
    deliverSignals: (tenant, signals) => deliverSignals(db, tenant, signals),
    appendSteps: (ref, mutation) => appendSteps(db, ref, mutation),
    mutations: (ref) => mutations(db, ref),
    deliverWord: (ref, key, word) => deliverWord(db, ref, key, word),
    subscribe: (ref, channel, mode) => subscribe(db, ref, channel, mode),
    unsubscribe: (ref, channel) => unsubscribe(db, ref, channel),
    publish: (tenant, message) => publish(db, tenant, message),
    matchMessages: (tenant, channel, limit) => matchMessages(db, tenant, channel, limit),
    signalGroup: (tenant, group, signal, after, limit) =>
      signalGroup(db, tenant, group, signal, after, limit),
    receiveHook: (digest, payload) => receiveHook(db, digest, payload),
    deleteOldMessages: (retentionMs, limit) => deleteOldMessages(db, retentionMs, limit),
    forkRun: (ref, fork) => forkRun(db, ref, fork),
    reclaimLeases: (limit, lostTurnLimit) => reclaimLeases(db, limit, lostTurnLimit),
    reclaimBranches: (limit, lostTurnLimit) => reclaimBranches(db, limit, lostTurnLimit),
    collectDueRuns: (limit, graceMs, horizonMs) => collectDueRuns(db, limit, graceMs, horizonMs),
    collectDueBranches: (limit, graceMs, horizonMs) => collectDueBranches(db, limit, graceMs, horizonMs),
    routeEvents: (routes, limit) => routeEvents(db, routes, limit),
    claimSends: (sink, limit, leaseMs) => claimSends(db, sink, limit, leaseMs),
    settleSends: (outcomes) => settleSends(db, outcomes),
    redeliverEvent: (tenant, id) => redeliverEvent(db, tenant, id),
    forgetEvents: (limit, olderThanMs) => forgetEvents(db, limit, olderThanMs),
    nextDue: (sinks, retention) => nextDue(db, sinks, retention),
    recordTick: (mark) => recordTick(db, mark),
    recordIdle: (ms) => recordIdle(db, ms),
  };
}
