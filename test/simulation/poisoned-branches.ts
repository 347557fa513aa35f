/** Warm branches as they must not be: functions of other runs, and of other places in the journal. */
import type { Replay } from "../../src/engine/plan/replay.ts";
import type { ClaimedBranch } from "../../src/engine/run.ts";
import { WarmBranches } from "../../src/runtime/warm-branches.ts";

/** What goes wrong: the function is kept as that of another run, or as one that rests after another entry. */
export type BranchPoison = { readonly runId: string } | { readonly askedAt: number } | null;

export class PoisonedBranches extends WarmBranches {
  private readonly poison: (branch: ClaimedBranch) => BranchPoison;

  /** `poison` is asked whenever a function is to be kept. */
  constructor(poison: (branch: ClaimedBranch) => BranchPoison) {
    super();
    this.poison = poison;
  }

  override keep(branch: ClaimedBranch, planner: Replay): void {
    super.keep({ ...branch, ...this.poison(branch) }, planner);
  }
}
