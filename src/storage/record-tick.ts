import type { Db } from "./db.ts";

const TICK = `
insert into pawl.ticks (job, ticked_at) values ('sweep', pawl.clock())
on conflict (job) do update set ticked_at = excluded.ticked_at`;

/** Notes that the cron handler ran, for `/healthz`. */
export async function recordTick(db: Db): Promise<void> {
  await db.execute([{ text: TICK, params: [] }]);
}
