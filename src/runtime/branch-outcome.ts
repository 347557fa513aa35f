import type { BranchOutcome } from "../engine/branch.ts";
import type { ClaimedBranch } from "../engine/run.ts";
import type { Outcome } from "./perform-step.ts";

/** What is written for an attempt. */
export function toBranchOutcome(branch: ClaimedBranch, given: Outcome): BranchOutcome {
  const { tookMs } = given;
  if (given.outcome === "completed") return outcomeOf(branch, "completed", { output: given.output, tookMs });
  const { failure, retryInMs } = given;
  return outcomeOf(branch, retryInMs === null ? "failed" : "retrying", { failure, retryInMs, tookMs });
}

export function outcomeOf(
  { tenant, runId, key, branchTurn, attempt }: ClaimedBranch,
  outcome: BranchOutcome["outcome"],
  what: Partial<BranchOutcome> = {},
): BranchOutcome {
  const nothing = { output: null, failure: null, retryInMs: null, tookMs: 0 };
  return { tenant, runId, key, branchTurn, attempt, outcome, ...nothing, ...what };
}
