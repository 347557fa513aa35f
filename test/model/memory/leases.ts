/** I2: what a lease allows is done only in its very turn; false, and nothing written, when the turn has moved on. */
import type { BranchRef, RunRef } from "../../../src/engine/run.ts";
import { type BranchRow, findRun, type State } from "./tables.ts";

export function renewLease(state: State, ref: RunRef, turn: number, leaseMs: number): boolean {
  const row = findRun(state, ref.tenant, ref.runId)?.row;
  if (row === undefined || row.turn !== turn || row.status !== "running") return false;
  row.leaseExpiresAt = state.now + leaseMs;
  return true;
}

export function renewBranch(state: State, ref: BranchRef, branchTurn: number, leaseMs: number): boolean {
  const branch = heldBranch(state, ref, branchTurn);
  if (branch === undefined) return false;
  branch.leaseExpiresAt = state.now + leaseMs;
  return true;
}

export function startBranch(state: State, ref: BranchRef, branchTurn: number): boolean {
  const branch = heldBranch(state, ref, branchTurn);
  if (branch === undefined) return false;
  branch.started = true;
  return true;
}

/** The branch, if it is leased and in this turn. */
export function heldBranch(
  state: State,
  { tenant, runId, key }: BranchRef,
  branchTurn: number,
): BranchRow | undefined {
  const branch = findRun(state, tenant, runId)?.branches.get(key);
  return branch?.turn === branchTurn && branch.leaseExpiresAt !== null ? branch : undefined;
}
