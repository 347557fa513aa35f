/**
 * Warm runs: functions of long-lived runs that still rest in this isolate where their last turn left them, so that
 * the next turn replays nothing and reads only what is new. A turn then costs the same however long the journal is.
 *
 * Nothing depends on it. A function is gone on with only in the turn that follows directly on its own, with the same
 * last entry; every other mover of a run (a reclaim, a cancel, a revive) raises the turn. Whatever does not fit is
 * replayed from the journal.
 */
import type { Replay } from "../engine/plan/replay.ts";
import type { ClaimedRun, RunRef } from "../engine/run.ts";

/** Replaying fewer entries costs less than keeping a function. */
const WORTH_KEEPING = 16;
/** About what an isolate can spare, at some tens of kilobytes each. */
const MOST_RUNS = 200;

interface Warm {
  readonly planner: Replay;
  readonly turn: number;
  readonly lastSeq: number;
}

export class WarmRuns {
  /** In the order of use, the longest unused first. */
  private readonly kept = new Map<string, Warm>();
  /** How many entries make a function worth keeping. */
  private readonly fromEntries: number;

  constructor(fromEntries = WORTH_KEEPING) {
    this.fromEntries = fromEntries;
  }

  /** The last entry that is known of a run's journal; undefined when its function is not here. */
  knownOf(ref: RunRef): number | undefined {
    return this.kept.get(nameOf(ref))?.lastSeq;
  }

  /** Takes the function out, if this claim follows directly on its last turn. */
  take(run: ClaimedRun): Replay | null {
    const name = nameOf(run);
    const warm = this.kept.get(name);
    this.kept.delete(name);
    const fits = warm?.turn === run.turn - 1 && warm.lastSeq === (run.journal.at(-1)?.seq ?? 0);
    return fits ? warm.planner : null;
  }

  /** Keeps a function that rests after the last entry of this turn. */
  keep(run: ClaimedRun, lastSeq: number, planner: Replay): void {
    if (lastSeq < this.fromEntries) return;
    planner.shed();
    this.kept.set(nameOf(run), { planner, turn: run.turn, lastSeq });
    for (const oldest of this.kept.keys()) {
      if (this.kept.size <= MOST_RUNS) break;
      this.kept.delete(oldest);
    }
  }
}

function nameOf({ tenant, runId }: RunRef): string {
  return `${tenant}/${runId}`;
}
