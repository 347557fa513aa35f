/** How often a page asks again, in milliseconds; false for never. */
import { isOver, type Status } from "./status.ts";

const FAST_MS = 2_000;
const LIST_MS = 5_000;
const CALM_MS = 15_000;
const IDLE_MS = 60_000;

/** A run that is over changes only by what a person does. */
export function runInterval(status: Status | undefined): number | false {
  if (status === undefined) return false;
  return isOver(status) ? false : FAST_MS;
}

/** Fast while somebody works or the first run is waited for, slower while runs only wait, slowest where all is over. */
export function listInterval(statuses: readonly Status[]): number {
  if (statuses.length === 0) return LIST_MS;
  if (statuses.some((status) => status === "ready" || status === "running")) return LIST_MS;
  return statuses.some((status) => !isOver(status)) ? CALM_MS : IDLE_MS;
}

/** Of what changes by the minute: metrics, the system's state. */
export const SLOW_MS = CALM_MS;
export const BADGE_MS = IDLE_MS;

export function bulkInterval(status: string | undefined): number | false {
  return status === "running" ? FAST_MS : false;
}
