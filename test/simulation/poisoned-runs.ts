/** Warm runs as they must not be: functions of other runs, of earlier turns, after other entries. */
import type { Replay } from "../../src/engine/plan/replay.ts";
import type { ClaimedRun } from "../../src/engine/run.ts";
import { type WarmLimits, WarmRuns } from "../../src/runtime/warm-runs.ts";

/** What goes wrong: the function is kept as that of another run, or of another last entry; or an older one stays in its place. */
export type Poison = { readonly runId: string } | { readonly entries: 1 | -1 } | "stale" | null;

export class PoisonedRuns extends WarmRuns {
  private readonly poison: (run: ClaimedRun) => Poison;

  /** `poison` is asked whenever a function is to be kept. */
  constructor(poison: (run: ClaimedRun) => Poison, limits: Partial<WarmLimits>) {
    super(limits);
    this.poison = poison;
  }

  override keep(run: ClaimedRun, lastSeq: number, journalBytes: number, planner: Replay): void {
    const poison = this.poison(run);
    if (poison === "stale") return;
    const named = poison !== null && "runId" in poison ? { ...run, runId: poison.runId } : run;
    const entries = poison !== null && "entries" in poison ? poison.entries : 0;
    super.keep(named, lastSeq + entries, journalBytes, planner);
  }
}
