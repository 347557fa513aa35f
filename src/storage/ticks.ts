/** What the cron notes of itself. It belongs to the deployment, not to a tenant. */
import type { TickState } from "../engine/tick.ts";
import type { Db } from "./db.ts";

const TICK = `
insert into pawl.ticks as t (job, ticked_at, mark, marked_at)
select 'sweep', now, $1, now from (select pawl.clock() as now) at
on conflict (job) do update set ticked_at = excluded.ticked_at, idle_until = null, mark = excluded.mark,
  marked_at = case when t.mark is not distinct from excluded.mark then coalesce(t.marked_at, excluded.marked_at)
    else excluded.marked_at end
returning greatest(0, pawl.ms(t.ticked_at) - pawl.ms(t.marked_at)) as mark_age_ms`;

const STATE = `
select pawl.ms(pawl.clock()) as now, pawl.ms(max(ticked_at)) as last_tick_at, pawl.ms(max(idle_until)) as idle_until
from pawl.ticks`;

const IDLE = `
update pawl.ticks set idle_until = pawl.clock() + $1::float8 * interval '1 ms' where job = 'sweep'`;

/** Notes that the cron swept, for `/healthz`, and which mark it read; gives for how long it has read this one. */
export async function recordTick(db: Db, mark: string | null): Promise<number> {
  const [[tick] = []] = await db.execute([{ text: TICK, params: [mark] }]);
  return tick?.mark_age_ms as number;
}

/** Notes that the cron stays away for so long, for `/healthz`. The next tick that sweeps takes it back. */
export async function recordIdle(db: Db, ms: number): Promise<void> {
  await db.execute([{ text: IDLE, params: [ms] }]);
}

export async function readTick(db: Db): Promise<TickState> {
  const [rows = []] = await db.execute([{ text: STATE, params: [] }]);
  const [row] = rows as { now: number; last_tick_at: number | null; idle_until: number | null }[];
  if (row === undefined) throw new Error("asking for the last tick gave no answer");
  return { now: row.now, lastTickAt: row.last_tick_at, idleUntil: row.idle_until };
}
