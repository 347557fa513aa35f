import type { Noted, SweepPart } from "../engine/ports.ts";
import type { SweepOutcome, SweepTime } from "../engine/timings.ts";
import { advanceBulks } from "../runtime/advance-bulks.ts";
import { deliverEvents } from "../runtime/deliver-events.ts";
import type { Runtime } from "../runtime/runtime.ts";
import {
  bringMessages,
  forgetEvents,
  forgetMessages,
  reclaimBranches,
  reclaimLeases,
  SHARE_SECONDS,
  wakeDueBranches,
  wakeDueRuns,
} from "../runtime/sweep.ts";
import { becomeIdle, isIdle, readAgenda } from "./idle.ts";

const SWEEPS = {
  "reclaim leases": reclaimLeases,
  "reclaim branches": reclaimBranches,
  "wake due runs": wakeDueRuns,
  "wake due branches": wakeDueBranches,
  "bring messages": bringMessages,
  "forget messages": forgetMessages,
  "deliver events": deliverEvents,
  "forget events": forgetEvents,
  "advance bulk actions": advanceBulks,
} as const;

const PARTS = {
  events: { "deliver events": deliverEvents },
  bulk: { "advance bulk actions": advanceBulks },
} as const;

/**
 * Runs every sweep on its own, so that one that fails stops no other. More work than one share goes on at
 * once through the queue, in an invocation of its own. False when there is more, or when something failed. Never rejects.
 */
export async function sweep(runtime: Runtime, only?: SweepPart): Promise<boolean> {
  const sweeps = only === undefined ? SWEEPS : PARTS[only];
  const times = await Promise.all(Object.entries(sweeps).map(([name, run]) => timed(runtime, name, run)));
  if (times.some(({ outcome }) => outcome === "more")) {
    await runtime.wakeUps
      .sweepAgain(only, only === undefined ? SHARE_SECONDS : undefined)
      .catch((error: unknown) => runtime.report("asking for another sweep", error));
  }
  if (only === undefined) {
    await runtime.timings
      .noteSweeps(times)
      .catch((error: unknown) => runtime.report("noting what the sweeps did", error));
  }
  return times.every(({ outcome }) => outcome === "all");
}

/** One sweep. Never rejects. */
async function timed(
  runtime: Runtime,
  name: string,
  run: (runtime: Runtime) => Promise<boolean>,
): Promise<SweepTime> {
  const { clock } = runtime;
  const begunAt = clock.now();
  let outcome: SweepOutcome;
  try {
    outcome = (await run(runtime)) ? "more" : "all";
  } catch (error) {
    runtime.report(`sweep "${name}"`, error);
    outcome = "failed";
  }
  return { name, ms: Math.max(0, clock.now() - begunAt), outcome };
}

/**
 * What the cron trigger calls, every minute; `at` is the time for which it was meant. Sweeps and notes for `/healthz` that it
 * did, unless the agenda says that there is nothing to do: then it asks the database for nothing. Never rejects.
 */
export async function tick(runtime: Runtime, at: number): Promise<void> {
  const noted = await readAgenda(runtime);
  if (noted !== null && isIdle(noted, at)) return;
  const [isDone, markAgeMs] = await Promise.all([sweep(runtime), recordTick(runtime, noted)]);
  if (runtime.agenda === null || noted === null || !isDone || markAgeMs === null) return;
  await becomeIdle(runtime, runtime.agenda, noted, markAgeMs, at).catch((error: unknown) =>
    runtime.report("letting the cron idle", error),
  );
}

/** For how long the mark was read that is read now; null when that cannot be told. */
async function recordTick({ store, report }: Runtime, noted: Noted | null): Promise<number | null> {
  try {
    return await store.recordTick(noted?.mark ?? null);
  } catch (error) {
    report("recording a tick", error);
    return null;
  }
}
