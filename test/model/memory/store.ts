import type { Store } from "../../../src/engine/ports.ts";
import { appendSteps, deliverSignals, deliverWord, mutations, receiveHook, signalGroup } from "./arrivals.ts";
import { deleteOldMessages, publish, subscribe, unsubscribe } from "./channels.ts";
import { claimBranches, claimSuspectBranch } from "./claim-branches.ts";
import { claimRuns, claimSuspect } from "./claim-runs.ts";
import { commitBranches } from "./commit-branches.ts";
import { commitTurns } from "./commit-turns.ts";
import { discardRun, reviveRun } from "./dead-letters.ts";
import { forkRun } from "./fork-run.ts";
import { renewBranch, renewLease, startBranch } from "./leases.ts";
import { matchMessages } from "./match-messages.ts";
import { nextDue } from "./next-due.ts";
import { claimSends, forgetEvents, redeliverEvent, routeEvents, settleSends } from "./outbox.ts";
import { readDelivery, readJournal } from "./read-journal.ts";
import { startRuns } from "./start-runs.ts";
import { collectDueBranches, collectDueRuns, reclaimBranches, reclaimLeases } from "./sweeps.ts";
import type { State } from "./tables.ts";
import { recordIdle, recordTick } from "./ticks.ts";
import { cancelRun, pauseRun, resumeRun } from "./trees.ts";

/** The table of contents of this folder. What a verb throws, its promise rejects with. */
export function createStore(state: State): Store {
  return {
    startRuns: async (tenant, runs, signals) => startRuns(state, tenant, runs, signals),
    claimRuns: async (claims, leaseMs, known) => claimRuns(state, claims, leaseMs, known),
    readJournal: async (ref, part, after) => readJournal(state, ref, part, after),
    readDelivery: async (ref, id) => readDelivery(state, ref, id),
    claimSuspect: async (ref, leaseMs) => claimSuspect(state, ref, leaseMs),
    commitTurns: async (decisions) => commitTurns(state, decisions),
    renewLease: async (ref, turn, leaseMs) => renewLease(state, ref, turn, leaseMs),
    claimBranches: async (refs, leaseMs, known) => claimBranches(state, refs, leaseMs, known),
    claimSuspectBranch: async (ref, leaseMs) => claimSuspectBranch(state, ref, leaseMs),
    startBranch: async (ref, branchTurn) => startBranch(state, ref, branchTurn),
    renewBranch: async (ref, branchTurn, leaseMs) => renewBranch(state, ref, branchTurn, leaseMs),
    commitBranches: async (outcomes) => commitBranches(state, outcomes),
    cancelRun: async (ref, compensate) => cancelRun(state, ref, compensate),
    pauseRun: async (ref) => pauseRun(state, ref),
    resumeRun: async (ref) => resumeRun(state, ref),
    reviveRun: async (ref) => reviveRun(state, ref),
    discardRun: async (ref) => discardRun(state, ref),
    deliverSignals: async (tenant, signals) => deliverSignals(state, tenant, signals),
    appendSteps: async (ref, mutation) => appendSteps(state, ref, mutation),
    mutations: async (ref) => mutations(state, ref),
    deliverWord: async (ref, key, word) => deliverWord(state, ref, key, word),
    subscribe: async (ref, channel, mode) => subscribe(state, ref, channel, mode),
    unsubscribe: async (ref, channel) => unsubscribe(state, ref, channel),
    publish: async (tenant, message) => publish(state, tenant, message),
    matchMessages: async (tenant, channel, limit) => matchMessages(state, tenant, channel, limit),
    signalGroup: async (tenant, group, signal, after, limit) =>
      signalGroup(state, tenant, group, signal, after, limit),
    receiveHook: async (digest, payload) => receiveHook(state, digest, payload),
    deleteOldMessages: async (retentionMs, limit) => deleteOldMessages(state, retentionMs, limit),
    forkRun: async (ref, fork) => forkRun(state, ref, fork),
    reclaimLeases: async (limit, lostTurnLimit) => reclaimLeases(state, limit, lostTurnLimit),
    reclaimBranches: async (limit, lostTurnLimit) => reclaimBranches(state, limit, lostTurnLimit),
    collectDueRuns: async (limit, graceMs, horizonMs) => collectDueRuns(state, limit, graceMs, horizonMs),
    collectDueBranches: async (limit, graceMs, horizonMs) =>
      collectDueBranches(state, limit, graceMs, horizonMs),
    routeEvents: async (routes, limit) => routeEvents(state, routes, limit),
    claimSends: async (sink, limit, leaseMs) => claimSends(state, sink, limit, leaseMs),
    settleSends: async (outcomes) => settleSends(state, outcomes),
    redeliverEvent: async (tenant, id) => redeliverEvent(state, tenant, id),
    forgetEvents: async (limit, olderThanMs) => forgetEvents(state, limit, olderThanMs),
    nextDue: async (sinks, retention) => nextDue(state, sinks, retention),
    recordTick: async (mark) => recordTick(state, mark),
    recordIdle: async (ms) => recordIdle(state, ms),
  };
}
