/**
 * A lease that renews itself while a step's body runs.
 *
 * I2: when it is lost, the step's signal aborts and nothing it returns is kept.
 */
import { LeaseLost } from "../engine/errors.ts";
import type { BranchRef, RunRef } from "../engine/run.ts";
import type { Runtime } from "./runtime.ts";

export interface Lease {
  /** False when the turn, or the branch's, is no longer ours. */
  renew(): Promise<boolean>;
  lost(): LeaseLost;
}

export function turnLease({ store, settings }: Runtime, { tenant, runId }: RunRef, turn: number): Lease {
  return {
    renew: () => store.renewLease({ tenant, runId }, turn, settings.leaseMs),
    lost: () => new LeaseLost(runId, turn),
  };
}

export function branchLease({ store, settings }: Runtime, ref: BranchRef, branchTurn: number): Lease {
  const { tenant, runId, key } = ref;
  return {
    renew: () => store.renewBranch({ tenant, runId, key }, branchTurn, settings.leaseMs),
    lost: () => new LeaseLost(runId, branchTurn),
  };
}

/** Renews every third of a lease, until `ended`. */
export async function keepLease(
  runtime: Runtime,
  lease: Lease,
  ended: AbortSignal,
  abort: (reason: unknown) => void,
): Promise<void> {
  for (;;) {
    await runtime.clock.sleep(runtime.settings.leaseMs / 3, ended);
    if (ended.aborted) return;
    await renewNow(runtime, lease, abort);
  }
}

/** An unreachable database is not a lost lease: the commit's fence decides. */
export async function renewNow(
  { report }: Runtime,
  lease: Lease,
  abort: (reason: unknown) => void,
): Promise<void> {
  try {
    if (!(await lease.renew())) abort(lease.lost());
  } catch (error) {
    report("renewing a lease", error);
  }
}
