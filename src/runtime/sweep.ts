/**
 * The sweeps: what the queue may lose, they find again. Each looks after a bounded number of runs, and each
 * is safe to overlap with itself. True means that there may be more.
 */
import type { DueRun, Sweep } from "../engine/ports.ts";
import type { Runtime } from "./runtime.ts";

/**
 * A share is woken over so many seconds, and the next one is looked for after them. Thousands of runs that are due at once,
 * after a long sleep or an outage of the queue, leave the database time for everybody else.
 */
export const SHARE_SECONDS = 2;
const STEP_MS = 100;

/** I12: takes back expired leases, spaced out; a run that loses too many turns in a row becomes dead. */
export async function reclaimLeases(runtime: Runtime): Promise<boolean> {
  const { sweepLimit, lostTurnLimit } = runtime.settings;
  return wake(runtime, await runtime.store.reclaimLeases(sweepLimit, lostTurnLimit), sweepLimit);
}

/** The same for branches. */
export async function reclaimBranches(runtime: Runtime): Promise<boolean> {
  const { sweepLimit, lostTurnLimit } = runtime.settings;
  return wake(runtime, await runtime.store.reclaimBranches(sweepLimit, lostTurnLimit), sweepLimit);
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

/** The same for branches. */
export async function wakeDueBranches(runtime: Runtime): Promise<boolean> {
  const { sweepLimit, wakeUpGraceMs, sweepHorizonMs } = runtime.settings;
  const sweep = await runtime.store.collectDueBranches(sweepLimit, wakeUpGraceMs, sweepHorizonMs);
  return wake(runtime, sweep, sweepLimit);
}

/** Brings messages to runs that wait for them, where whoever published died before it could. */
export async function bringMessages(runtime: Runtime): Promise<boolean> {
  const { sweepLimit } = runtime.settings;
  const due = await runtime.store.matchMessages(null, null, sweepLimit);
  await runtime.wakeUps.send(due);
  // Of those it looked after, it knows only who is to be woken: as long as there are any, there may be more.
  return due.length > 0;
}

/** Forgets events that were sent long ago. */
export async function forgetEvents(runtime: Runtime): Promise<boolean> {
  const { sweepLimit, eventRetentionMs } = runtime.settings;
  return (await runtime.store.forgetEvents(sweepLimit, eventRetentionMs)) >= sweepLimit;
}

/** Deletes messages that have been kept for long enough. */
export async function forgetMessages(runtime: Runtime): Promise<boolean> {
  const { sweepLimit, messageRetentionMs } = runtime.settings;
  return (await runtime.store.deleteOldMessages(messageRetentionMs, sweepLimit)) >= sweepLimit;
}

async function wake(runtime: Runtime, sweep: Sweep, limit: number): Promise<boolean> {
  for (const { runId, error } of sweep.refused ?? []) {
    runtime.report(`sweeping run ${runId}, which the database refuses to change`, error);
  }
  await runtime.wakeUps.sendAgain(spread(sweep.due, limit));
  return sweep.swept >= limit;
}

/** In steps that a consumer holds as one: what is due sooner comes as many steps later as there are before it. */
function spread(due: readonly DueRun[], limit: number): DueRun[] {
  const perStep = Math.ceil((limit * STEP_MS) / (SHARE_SECONDS * 1_000));
  return due.map((run, i) => ({
    ...run,
    wakeInMs: Math.max(run.wakeInMs, Math.floor(i / perStep) * STEP_MS),
  }));
}
