import type { FailedAttempt } from "../engine/delivery.ts";
import type { OpenBranch, OpenWait, UnderWay } from "../engine/reads.ts";
import type { RunRef } from "../engine/run.ts";
import type { Db } from "./db.ts";

const WAITS = `
select w.key, w.kind, w.name, pawl.ms(w.begun_at) as begun_at, pawl.ms(w.due_at) as due_at
from pawl.waits w where w.tenant = $1 and w.run_id = $2 order by w.begun_at, w.key`;

const BRANCHES = `
select b.key, b.attempt, b.lease_expires_at is not null as leased, pawl.ms(b.wake_at) as wake_at, b.attempts
from pawl.branches b where b.tenant = $1 and b.run_id = $2 order by b.begun_at, b.key`;

type WaitRow = Pick<OpenWait, "key" | "kind" | "name"> & { begun_at: number; due_at: number | null };

type BranchRow = Pick<OpenBranch, "key" | "attempt" | "leased"> & {
  wake_at: number | null;
  attempts: readonly FailedAttempt[];
};

/** What a run waits for besides time, and its steps beside the turn, the oldest first. */
export async function readUnderWay(db: Db, { tenant, runId }: RunRef): Promise<UnderWay> {
  const params = [tenant, runId];
  const [waits = [], branches = []] = await db.execute([
    { text: WAITS, params },
    { text: BRANCHES, params },
  ]);
  return {
    waits: (waits as unknown as WaitRow[]).map(toOpenWait),
    branches: (branches as unknown as BranchRow[]).map(toOpenBranch),
  };
}

function toOpenWait({ key, kind, name, begun_at, due_at }: WaitRow): OpenWait {
  return { key, kind, name, begunAt: begun_at, dueAt: due_at };
}

function toOpenBranch({ key, attempt, leased, wake_at, attempts }: BranchRow): OpenBranch {
  const failures = attempts.map((failed) => {
    const { stack: _, cause: __, ...failure } = failed.failure;
    return { ...failed, failure };
  });
  return { key, attempt, leased, wakeAt: wake_at, failures };
}
