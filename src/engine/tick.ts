/** What the cron has noted of itself in the database. */
export interface TickState {
  /** Milliseconds since 1970 by the database's clock, like the others. */
  readonly now: number;
  /** Null before the first. */
  readonly lastTickAt: number | null;
  /** Until when it stays away from the database; null when it did not say that it would. */
  readonly idleUntil: number | null;
}

/**
 * For how long the cron has been silent: since its last tick, or, where that said that nothing would come to be done for a
 * while, since the end of that while. Null before the first tick.
 */
export function tickAgeMs({ now, lastTickAt, idleUntil }: TickState): number | null {
  if (lastTickAt === null) return null;
  return Math.max(0, now - Math.max(lastTickAt, idleUntil ?? lastTickAt));
}
