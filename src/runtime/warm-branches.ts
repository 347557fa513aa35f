/**
 * Warm branches: functions that rest where they asked for steps side by side. The branches of these that come to this isolate
 * share one replay: with one for each, a thousand steps would be asked for a thousand times.
 *
 * Nothing depends on it. Nothing is ever handed to such a function, so it stays where it rests; the journal up to there never
 * changes; and whatever does not fit is replayed. They are bounded in number and in bytes, the longest unused go first.
 */
import { bytesOf } from "../engine/codec.ts";
import type { Replay } from "../engine/plan/replay.ts";
import type { ClaimedBranch } from "../engine/run.ts";

export interface BranchLimits {
  readonly mostFunctions: number;
  readonly mostBytes: number;
}

const LIMITS: BranchLimits = { mostFunctions: 20, mostBytes: 8_000_000 };

interface Kept {
  readonly planner: Replay;
  /** What its function has been given: its input and the values of its journal. */
  readonly bytes: number;
}

export class WarmBranches {
  /** In the order of use, the longest unused first. */
  private readonly kept = new Map<string, Kept>();
  private readonly limits: BranchLimits;
  private total = 0;

  constructor(limits: Partial<BranchLimits> = {}) {
    this.limits = { ...LIMITS, ...limits };
  }

  /** The function where it asked for this branch, if it rests here. */
  find(branch: ClaimedBranch): Replay | null {
    const name = nameOf(branch);
    const found = this.kept.get(name);
    if (found === undefined || !found.planner.isOf(branch)) return null;
    this.kept.delete(name);
    this.kept.set(name, found);
    return found.planner;
  }

  /** Keeps a function that was replayed for this branch and to which nothing will be handed any more. */
  keep(branch: ClaimedBranch, planner: Replay): void {
    // Branches that came together were replayed side by side, before the first of them was done.
    if (this.find(branch) !== null) return;
    const { mostFunctions, mostBytes } = this.limits;
    const { input, journal } = branch.run;
    const outputs = journal.flatMap(({ output }) => output ?? []);
    const bytes = outputs.reduce((sum, output) => sum + bytesOf(output), bytesOf(input));
    this.remove(nameOf(branch));
    if (bytes > mostBytes) return;
    planner.shed();
    this.kept.set(nameOf(branch), { planner, bytes });
    this.total += bytes;
    for (const oldest of this.kept.keys()) {
      if (this.kept.size <= mostFunctions && this.total <= mostBytes) break;
      this.remove(oldest);
    }
  }

  private remove(name: string): void {
    this.total -= this.kept.get(name)?.bytes ?? 0;
    this.kept.delete(name);
  }
}

function nameOf({ tenant, runId, askedAt }: ClaimedBranch): string {
  return `${tenant}/${runId}/${askedAt}`;
}
