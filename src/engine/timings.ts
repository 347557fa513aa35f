/** Where the time of a turn goes, or of a branch, and that of the sweeps. */

/** In the order in which a turn goes through them. */
export const PHASES = [
  "queue",
  "claim",
  "invocation",
  "replay",
  "step",
  "group",
  "commit",
  "wake-up",
] as const;

/**
 * - `queue`: from when its wake-up was to come to the consumer that got it
 * - `claim`: the round trip that leased it, with everything of its batch
 * - `invocation`: the way into an invocation of its own, and back
 * - `replay`: its function, up to where it rests
 * - `step`: the body of its step
 * - `group`: the wait for the commit before its own
 * - `commit`: the round trip that made it durable, with whatever else had ended
 * - `wake-up`: the sending of the next wake-up
 *
 * In production the clock of an invocation stands still while code runs and goes on with every answer from outside: what
 * only computes, such as a replay, is counted where the next answer comes.
 */
export type Phase = (typeof PHASES)[number];

/** Upper bounds of the buckets; what took longer than the last is in one more. */
export const BOUNDS_MS = [
  1, 2, 3, 5, 8, 12, 20, 30, 50, 80, 120, 200, 300, 500, 800, 1_200, 2_000, 3_000, 5_000, 8_000, 12_000,
  20_000, 30_000, 60_000,
] as const;

/** How long turns spent in one phase. */
export interface PhaseTimes {
  readonly phase: Phase;
  readonly turns: number;
  readonly totalMs: number;
  /** How many took at most each of `BOUNDS_MS`, and more than the bound before. */
  readonly buckets: readonly number[];
}

/** What a sweep came to: it looked after `all` there was, or there is `more`, or it `failed` and nobody knows. */
export type SweepOutcome = "all" | "more" | "failed";

export interface SweepTime {
  readonly name: string;
  readonly ms: number;
  readonly outcome: SweepOutcome;
}

export interface Timings {
  /** Adds to the hour that it is. */
  add(times: readonly PhaseTimes[]): Promise<void>;
  /** All that began in the last so many hours, in the order of `PHASES`. */
  read(hours: number): Promise<PhaseTimes[]>;
  /** Keeps these in the place of what was kept of the same sweeps. */
  noteSweeps(times: readonly SweepTime[]): Promise<void>;
  /** What each sweep came to when it last ended, and when that was, in ms since 1970; by name. */
  sweeps(): Promise<(SweepTime & { readonly at: number })[]>;
}

/** The index of the bucket that a time belongs to. */
export function bucketOf(ms: number): number {
  const index = BOUNDS_MS.findIndex((bound) => ms <= bound);
  return index === -1 ? BOUNDS_MS.length : index;
}

/** About so many milliseconds a share of the turns took at most, such as 0.95: evenly within a bucket; null without turns. */
export function quantile({ turns, buckets }: PhaseTimes, share: number): number | null {
  if (turns === 0) return null;
  let below = 0;
  for (const [index, count] of buckets.entries()) {
    if (count > 0 && below + count >= share * turns) {
      const from = BOUNDS_MS[index - 1] ?? 0;
      const to = BOUNDS_MS[index] ?? from;
      return from + ((share * turns - below) / count) * (to - from);
    }
    below += count;
  }
  return BOUNDS_MS.at(-1) ?? null;
}
