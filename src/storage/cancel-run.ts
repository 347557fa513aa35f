import type { CancelResult } from "../engine/ports.ts";
import type { RunRef, RunStatus } from "../engine/run.ts";
import type { Db } from "./db.ts";

const CANCEL = `
update pawl.runs
set status = 'cancelled', turn = turn + 1, wake_at = null, wake_up_sent_at = null, lease_expires_at = null,
  finished_at = pawl.clock()
where tenant = $1 and id = $2 and status in ('ready', 'running', 'waiting')
returning id`;

/** A statement of its own: a commit that the cancel had to wait for may have begun timers. */
const END_TIMERS = `
delete from pawl.timers t using pawl.runs r
where t.tenant = $1 and t.run_id = $2 and r.tenant = t.tenant and r.id = t.run_id and r.status = 'cancelled'`;

const STATUS = "select status from pawl.runs where tenant = $1 and id = $2";

/** I3: a final status stays. The turn is raised, so whoever held the lease has lost it (I2). */
export async function cancelRun(db: Db, { tenant, runId }: RunRef): Promise<CancelResult> {
  const params = [tenant, runId];
  const statements = [CANCEL, END_TIMERS, STATUS].map((text) => ({ text, params }));
  const [cancelled = [], , found = []] = await db.execute(statements);
  if (cancelled.length > 0) return "cancelled";
  const status = found[0]?.status as RunStatus | undefined;
  return status === undefined ? "not_found" : status === "cancelled" ? "already_cancelled" : status;
}
