/**
 * The sweeps: what the queue may lose, they find again. Each looks after a bounded number of runs, and each
 * is safe to overlap with itself. True means that there may be more.
 */
import type { Sweep } from "../engine/ports.ts";
import type { Runtime } from "./runtime.ts";

/** I12: takes back expired leases, spaced out; a run that loses too many turns in a row becomes dead. */
export async function reclaimLeases(runtime: Runtime): Promise<boolean> {
  const { sweepLimit, lostTurnLimit } = runtime.settings;
  return wake(runtime, await runtime.store.reclaimLeases(sweepLimit, lostTurnLimit), sweepLimit);
}

/** Sends wake-ups again for runs that are due and were not claimed, and wakes those who slept for long. */
export async function wakeDueRuns(runtime: Runtime): Promise<boolean> {
  const { sweepLimit, wakeUpGraceMs, sweepHorizonMs } = runtime.settings;
  return wake(
    runtime,
    await runtime.store.collectDueRuns(sweepLimit, wakeUpGraceMs, sweepHorizonMs),
    sweepLimit,
  );
}

async function wake(runtime: Runtime, sweep: Sweep, limit: number): Promise<boolean> {
  await runtime.wakeUps.send(sweep.due);
  return sweep.swept >= limit;
}
