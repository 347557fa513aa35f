import type { SweepPart } from "../engine/ports.ts";
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
 * once through the queue, in an invocation of its own. Never rejects.
 */
export async function sweep(runtime: Runtime, only?: SweepPart): Promise<void> {
  const sweeps = only === undefined ? SWEEPS : PARTS[only];
  const more = await Promise.all(
    Object.entries(sweeps).map(async ([name, run]) => {
      try {
        return await run(runtime);
      } catch (error) {
        runtime.report(`sweep "${name}"`, error);
        return false;
      }
    }),
  );
  if (more.includes(true)) {
    await runtime.wakeUps
      .sweepAgain(only, only === undefined ? SHARE_SECONDS : undefined)
      .catch((error: unknown) => runtime.report("asking for another sweep", error));
  }
}

/** What the cron trigger calls, every minute: the sweeps, and the mark that `/healthz` reads. */
export async function tick(runtime: Runtime): Promise<void> {
  await Promise.all([
    sweep(runtime),
    runtime.store.recordTick().catch((error: unknown) => runtime.report("recording a tick", error)),
  ]);
}
