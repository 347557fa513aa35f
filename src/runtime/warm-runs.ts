/**
 * Warm runs: functions of long-lived runs that still rest in this isolate where their last turn left them, so that
 * the next turn replays nothing and reads only what is new. A turn then costs the same however long the journal is.
 *
 * Nothing depends on it. A function is gone on with only in the turn that follows directly on its own, with the same
 * last entry; every other mover of a run (a reclaim, a cancel, a revive) raises the turn. Whatever does not fit is
 * replayed from the journal.
 *
 * They are bounded in number and in bytes, the longest unused go first. What a function holds cannot be measured, so it
 * is taken for what it has been given: its input and all values of its journal. Entries are not kept beside functions: they would
 * take the same memory a second time, and be of use only where a function is gone while there was room for it.
 */
import { bytesOf } from "../engine/codec.ts";
import type { Replay } from "../engine/plan/replay.ts";
import type { ClaimedRun, RunRef } from "../engine/run.ts";

export interface WarmLimits {
  /** From so many entries on a function is kept: replaying fewer costs less. */
  readonly fromEntries: number;
  /** Or from so many bytes on: reading them costs more. */
  readonly fromBytes: number;
  readonly mostRuns: number;
  /** A quarter of an isolate's memory. */
  readonly mostBytes: number;
}

const LIMITS: WarmLimits = { fromEntries: 16, fromBytes: 50_000, mostRuns: 200, mostBytes: 32_000_000 };

/** What a function takes that was given nothing yet, and for each entry what says that it was reached. */
const FUNCTION_BYTES = 20_000;
const ENTRY_BYTES = 250;

interface Warm {
  readonly planner: Replay;
  readonly lastSeq: number;
  readonly bytes: number;
}

export class WarmRuns {
  /** In the order of use, the longest unused first. */
  private readonly kept = new Map<string, Warm>();
  private readonly limits: WarmLimits;
  private total = 0;

  constructor(limits: Partial<WarmLimits> = {}) {
    this.limits = { ...LIMITS, ...limits };
  }

  /** About what they hold. */
  get bytes(): number {
    return this.total;
  }

  /** The last entry that is known of a run's journal; undefined when its function is not here. */
  knownOf(ref: RunRef): number | undefined {
    return this.kept.get(nameOf(ref))?.lastSeq;
  }

  /** Takes the function out, if this claim follows directly on its last turn. */
  take(run: ClaimedRun): Replay | null {
    const warm = this.remove(nameOf(run));
    if (warm === undefined || !warm.planner.precedes(run)) return null;
    return warm.lastSeq === (run.journal.at(-1)?.seq ?? 0) ? warm.planner : null;
  }

  /** Keeps a function that rests after the last entry of this turn; `journalBytes` is what the journal takes by then. */
  keep(run: ClaimedRun, lastSeq: number, journalBytes: number, planner: Replay): void {
    const { fromEntries, fromBytes, mostRuns, mostBytes } = this.limits;
    this.remove(nameOf(run));
    const bytes = FUNCTION_BYTES + ENTRY_BYTES * lastSeq + bytesOf(run.input) + journalBytes;
    const isWorthIt = lastSeq >= fromEntries || journalBytes >= fromBytes;
    if (!isWorthIt || bytes > mostBytes) return;
    planner.shed();
    this.kept.set(nameOf(run), { planner, lastSeq, bytes });
    this.total += bytes;
    for (const oldest of this.kept.keys()) {
      if (this.kept.size <= mostRuns && this.total <= mostBytes) break;
      this.remove(oldest);
    }
  }

  private remove(name: string): Warm | undefined {
    const warm = this.kept.get(name);
    this.kept.delete(name);
    this.total -= warm?.bytes ?? 0;
    return warm;
  }
}

function nameOf({ tenant, runId }: RunRef): string {
  return `${tenant}/${runId}`;
}
