import type { Sweep } from "../engine/ports.ts";
import type { Db } from "./db.ts";

/** One status at a time: the index over both has the runs of each in the order of their time. */
const due = (status: "ready" | "waiting") => `
  select tenant, id, wake_at from pawl.runs
  where status = '${status}' and wake_at <= (select now + $3::float8 * interval '1 ms' from at)
    and (wake_up_sent_at is null or greatest(wake_at, wake_up_sent_at) <= (select now - $2::float8 * interval '1 ms' from at))
  order by wake_at limit $1
  for update skip locked`;

/**
 * Two kinds of run have no wake-up under way: one that sleeps longer than the queue can delay a message
 * (`wake_up_sent_at` is null), and one whose wake-up was lost, which shows only by it being due and
 * unclaimed for the grace. Noting that a wake-up is sent keeps the next tick from sending it again.
 */
const COLLECT = `
with at as materialized (select pawl.clock() as now),
ready as materialized (${due("ready")}),
parked as materialized (${due("waiting")}),
due as materialized (
  select f.tenant, f.id from (table ready union all table parked) f order by f.wake_at limit $1
)
update pawl.runs r set wake_up_sent_at = at.now
from due, at
where r.tenant = due.tenant and r.id = due.id
returning r.tenant, r.id, greatest(0, ceil(extract(epoch from r.wake_at - at.now) * 1000))::float8 as wake_in_ms`;

export async function collectDueRuns(
  db: Db,
  limit: number,
  graceMs: number,
  horizonMs: number,
): Promise<Sweep> {
  const [rows = []] = await db.execute([{ text: COLLECT, params: [limit, graceMs, horizonMs] }]);
  const due = (rows as { tenant: string; id: string; wake_in_ms: number }[]).map((row) => ({
    tenant: row.tenant,
    runId: row.id,
    wakeInMs: row.wake_in_ms,
  }));
  return { due, swept: due.length };
}
