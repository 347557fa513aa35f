import type { Encoded } from "./codec.ts";
import type { Failure } from "./failure.ts";
import type { BranchRef } from "./run.ts";

/** What an attempt of a branch gave. `dead`: its run cannot go on. `delivered`: its transaction told the run already. */
export interface BranchOutcome extends BranchRef {
  readonly branchTurn: number;
  readonly outcome: "completed" | "retrying" | "failed" | "dead" | "delivered";
  readonly attempt: number;
  readonly output: Encoded | null;
  readonly failure: Failure | null;
  readonly retryInMs: number | null;
  readonly tookMs: number;
}
