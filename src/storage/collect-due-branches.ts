import type { Sweep } from "../engine/ports.ts";
import type { Db } from "./db.ts";

/** The same for branches as `collect-due-runs.ts` for runs, where their run goes forward and nobody holds it. */
const COLLECT = `
with at as materialized (select pawl.clock() as now),
due as materialized (
  select b.tenant, b.run_id, b.key from pawl.branches b
  join pawl.runs r on r.tenant = b.tenant and r.id = b.run_id
  where b.wake_at <= (select now + $3::float8 * interval '1 ms' from at)
    and (b.wake_up_sent_at is null or greatest(b.wake_at, b.wake_up_sent_at) <= (select now - $2::float8 * interval '1 ms' from at))
    and r.status in ('ready', 'running', 'waiting') and r.phase = 'forward'
  order by b.wake_at limit $1
  for update of b skip locked
)
update pawl.branches b set wake_up_sent_at = at.now
from due, at
where b.tenant = due.tenant and b.run_id = due.run_id and b.key = due.key
returning b.tenant, b.run_id, b.key, greatest(0, ceil(extract(epoch from b.wake_at - at.now) * 1000))::float8 as wake_in_ms`;

export async function collectDueBranches(
  db: Db,
  limit: number,
  graceMs: number,
  horizonMs: number,
): Promise<Sweep> {
  const [rows = []] = await db.execute([{ text: COLLECT, params: [limit, graceMs, horizonMs] }]);
  const due = (rows as { tenant: string; run_id: string; key: string; wake_in_ms: number }[]).map((row) => ({
    tenant: row.tenant,
    runId: row.run_id,
    branch: row.key,
    wakeInMs: row.wake_in_ms,
  }));
  return { due, swept: due.length };
}
