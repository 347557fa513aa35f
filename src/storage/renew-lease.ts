import type { RunRef } from "../engine/run.ts";
import type { Db } from "./db.ts";

const RENEW = `
update pawl.runs set lease_expires_at = pawl.clock() + $4::float8 * interval '1 ms'
where tenant = $1 and id = $2 and turn = $3 and status = 'running'
returning turn`;

/** I2: false, and nothing written, when the turn is no longer the run's. */
export async function renewLease(db: Db, ref: RunRef, turn: number, leaseMs: number): Promise<boolean> {
  const [rows = []] = await db.execute([{ text: RENEW, params: [ref.tenant, ref.runId, turn, leaseMs] }]);
  return rows.length > 0;
}
