import { type TickState, tickAgeMs } from "../engine/tick.ts";
import type { Runtime } from "../runtime/runtime.ts";
import { sweep } from "./tick.ts";

/** The time between two ticks: the cron trigger in wrangler.toml. */
const TICK_MS = 60_000;
/** One tick may be late; a cron that has missed two is down. */
const LATE_MS = 2 * TICK_MS;
/** By then an idle cron has read the mark of whatever brings messages to the queue. */
const NOTICE_MS = 2 * TICK_MS;

/**
 * Stands in for a cron that has stopped: as long as there is traffic, its sweeps go on. One to an isolate, which remembers
 * when it saw a tick or asked for the last one, so that a batch costs nothing but once a minute.
 */
export class CronWatch {
  /** By the worker's clock. */
  private quietUntil = Number.NEGATIVE_INFINITY;
  /** Since when there has been traffic that an idle cron does not notice, by the database's clock. */
  private unnoticed: { readonly lastTickAt: number | null; readonly since: number } | null = null;

  /** A tick came to this isolate. */
  ticked({ clock }: Runtime): void {
    this.quietUntil = clock.now() + TICK_MS;
  }

  /** Sweeps if the last tick of all is long ago; leaves it where `/healthz` shows it. Never rejects. */
  async sweepIfLate(runtime: Runtime): Promise<void> {
    if (runtime.clock.now() < this.quietUntil) return;
    this.quietUntil = runtime.clock.now() + TICK_MS;
    try {
      const state = await runtime.reads.health();
      // Before its first tick a deployment is still being set up.
      if (state.lastTickAt === null || this.silenceMs(state) < LATE_MS) return;
      const minutes = Math.floor((state.now - state.lastTickAt) / 60_000);
      runtime.report("sweeping for the cron", new Error(`The cron ticked last ${minutes} minutes ago.`));
      await sweep(runtime);
    } catch (error) {
      runtime.report("asking for the last tick", error);
    }
  }

  /** For how long the cron has been silent; where it is idle, for how long although it should have noticed something. */
  private silenceMs(state: TickState): number {
    const { now, lastTickAt, idleUntil } = state;
    if (idleUntil === null || idleUntil <= now) return tickAgeMs(state) ?? 0;
    if (this.unnoticed?.lastTickAt !== lastTickAt) this.unnoticed = { lastTickAt, since: now };
    return now - this.unnoticed.since - NOTICE_MS;
  }
}
