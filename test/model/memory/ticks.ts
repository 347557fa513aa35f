/** What the cron notes of itself. */
import type { State } from "./tables.ts";

export function recordTick({ tables, now }: State, mark: string | null): number {
  const { tick } = tables;
  const markedAt = tick !== null && tick.mark === mark ? tick.markedAt : now;
  tables.tick = { tickedAt: now, mark, markedAt, idleUntil: null };
  return now - markedAt;
}

export function recordIdle({ tables, now }: State, ms: number): void {
  if (tables.tick !== null) tables.tick.idleUntil = now + ms;
}
