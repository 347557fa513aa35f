/** Warm forks as they must not be: functions of other runs, and of other places in the journal. */
import type { Replay } from "../../src/engine/plan/replay.ts";
import type { ClaimedBranch } from "../../src/engine/run.ts";
import { WarmForks } from "../../src/runtime/warm-forks.ts";

/** What goes wrong: the function is kept as that of another run, or as one that rests after another entry. */
export type ForkPoison = { readonly runId: string } | { readonly askedAt: number } | null;

export class PoisonedForks extends WarmForks {
  private readonly poison: (branch: ClaimedBranch) => ForkPoison;

  /** `poison` is asked whenever a function is to be kept. */
  constructor(poison: (branch: ClaimedBranch) => ForkPoison) {
    super();
    this.poison = poison;
  }

  override keep(branch: ClaimedBranch, planner: Replay): void {
    super.keep({ ...branch, ...this.poison(branch) }, planner);
  }
}
