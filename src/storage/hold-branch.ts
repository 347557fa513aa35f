import type { BranchRef } from "../engine/run.ts";
import type { Db } from "./db.ts";

const MINE = "where tenant = $1 and run_id = $2 and key = $3 and turn = $4 and lease_expires_at is not null";

const RENEW = `
update pawl.branches set lease_expires_at = pawl.clock() + $5::float8 * interval '1 ms' ${MINE}
returning turn`;

const START = `update pawl.branches set started = true ${MINE} returning turn`;

/** I2: false, and nothing written, when the turn is no longer the branch's. */
export async function renewBranch(
  db: Db,
  { tenant, runId, key }: BranchRef,
  branchTurn: number,
  leaseMs: number,
): Promise<boolean> {
  const params = [tenant, runId, key, branchTurn, leaseMs];
  const [rows = []] = await db.execute([{ text: RENEW, params }]);
  return rows.length > 0;
}

/** Notes that a body is about to run which must not run twice. False when the turn is no longer the branch's. */
export async function startBranch(
  db: Db,
  { tenant, runId, key }: BranchRef,
  branchTurn: number,
): Promise<boolean> {
  const [rows = []] = await db.execute([{ text: START, params: [tenant, runId, key, branchTurn] }]);
  return rows.length > 0;
}
