/** I2: only a branch that is still in the outcome's turn is touched. I4: its run hears of it in the same go. */
import type { BranchOutcome } from "../../../src/engine/branch.ts";
import type { DeliveryOutcome } from "../../../src/engine/delivery.ts";
import type { DueRun } from "../../../src/engine/ports.ts";
import { type Arrivals, arrive, bump, insertDelivery } from "./deliver.ts";
import { heldBranch } from "./leases.ts";
import { type BranchRow, findRun, type State, type StoredRun } from "./tables.ts";
import { after, dueNow, isDue, refOf, sentAt, spanUntil } from "./values.ts";

export function commitBranches(state: State, outcomes: readonly BranchOutcome[]): DueRun[] {
  const told = outcomes.filter(({ outcome }) => outcome === "delivered");
  const again = outcomes.filter(({ outcome }) => outcome === "retrying");
  const over = outcomes.filter(({ outcome }) => outcome !== "delivered" && outcome !== "retrying");
  return [
    ...(over.length === 0 ? [] : deliver(state, over)),
    ...(again.length === 0 ? [] : tryAgain(state, again)),
    ...told.map(({ tenant, runId }) => ({ tenant, runId, wakeInMs: 0 })),
  ];
}

/**
 * The branch goes, and what it gave stands in the inbox of its run. An outcome that finds no branch may have been
 * delivered before, with the answer lost: then its run may still need its wake-up.
 */
function deliver(state: State, outcomes: readonly BranchOutcome[]): DueRun[] {
  const due = new Set<StoredRun>();
  const arrivals: Arrivals = new Map();
  for (const given of outcomes) {
    const run = findRun(state, given.tenant, given.runId);
    if (run === undefined) continue;
    const branch = heldBranch(state, given, given.branchTurn);
    if (branch !== undefined) {
      deliverOutcome(state, run, branch, given);
      arrive(arrivals, run);
    } else if (isDue(run.row, state.now)) due.add(run);
  }
  for (const run of bump(state, arrivals)) due.add(run);
  return Array.from(due, dueNow);
}

function deliverOutcome(state: State, run: StoredRun, branch: BranchRow, given: BranchOutcome): void {
  run.branches.delete(branch.key);
  const { outcome, attempt, output, failure, tookMs } = given;
  insertDelivery(state, run, {
    kind: "branch",
    name: branch.key,
    outcome: outcome as DeliveryOutcome,
    attempt,
    attempts: branch.attempts,
    tookMs,
    payload: output,
    failure,
  });
}

/**
 * The attempt is kept with the branch until its outcome is delivered. Told twice, it is answered twice and kept once.
 * Of a run that only undoes what it did nothing is tried again: the branch goes, and the run goes on without it.
 */
function tryAgain(state: State, outcomes: readonly BranchOutcome[]): DueRun[] {
  const again: DueRun[] = [];
  const told: DueRun[] = [];
  const gone: Arrivals = new Map();
  for (const given of outcomes) {
    const run = findRun(state, given.tenant, given.runId);
    const branch = run?.branches.get(given.key);
    if (run === undefined || branch === undefined || branch.turn !== given.branchTurn) continue;
    if (branch.leaseExpiresAt === null) {
      if (branch.attempt === given.attempt + 1) told.push(wakeUpOf(state, run, branch));
    } else if (run.row.phase === "forward") {
      keepAttempt(state, branch, given);
      again.push(wakeUpOf(state, run, branch));
    } else {
      run.branches.delete(branch.key);
      arrive(gone, run);
    }
  }
  return [...again, ...told, ...bump(state, gone).map(dueNow)];
}

function keepAttempt({ now }: State, branch: BranchRow, given: BranchOutcome): void {
  const { attempt, failure, tookMs, retryInMs } = given;
  if (failure !== null) branch.attempts = [...branch.attempts, { attempt, failure, tookMs, atMs: now }];
  branch.attempt = attempt + 1;
  branch.spent += 1;
  branch.lostTurns = 0;
  branch.leaseExpiresAt = null;
  branch.wakeAt = after(now, retryInMs ?? 0);
  branch.wakeUpSentAt = sentAt(branch.wakeAt, now);
}

/** The wake-up of a branch that is not leased. */
export function wakeUpOf({ now }: State, run: StoredRun, { key, wakeAt }: BranchRow): DueRun {
  return { ...refOf(run), branch: key, wakeInMs: wakeAt === null ? 0 : spanUntil(wakeAt, now) };
}
