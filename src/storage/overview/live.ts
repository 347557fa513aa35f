import type { Live } from "../../engine/overview.ts";
import type { RunRef } from "../../engine/run.ts";
import type { Db } from "../db.ts";

const TURN = `
select pawl.ms(r.turn_begun_at) as begun_at from pawl.runs r
where r.tenant = $1 and r.id = $2 and r.status = 'running'`;

const SLEEPS = `
select t.key, pawl.ms(t.begun_at) as begun_at, pawl.ms(t.due_at) as due_at
from pawl.timers t where t.tenant = $1 and t.run_id = $2 order by t.begun_at, t.key`;

const BRANCHES = `
select b.key, pawl.ms(b.begun_at) as begun_at,
  case when b.lease_expires_at is not null then pawl.ms(b.turn_begun_at) end as turn_begun_at
from pawl.branches b where b.tenant = $1 and b.run_id = $2`;

/** Since when a run does what it does: its turn, its sleeps and its branches. */
export async function readLive(db: Db, { tenant, runId }: RunRef): Promise<Live> {
  const params = [tenant, runId];
  const [turn = [], sleeps = [], branches = []] = await db.execute([
    { text: TURN, params },
    { text: SLEEPS, params },
    { text: BRANCHES, params },
  ]);
  return {
    turnBegunAt: (turn[0]?.begun_at as number | null | undefined) ?? null,
    sleeps: (sleeps as unknown as SleepRow[]).map(({ key, begun_at, due_at }) => {
      return { key, begunAt: begun_at, dueAt: due_at };
    }),
    branches: (branches as unknown as BranchRow[]).map(({ key, begun_at, turn_begun_at }) => {
      return { key, begunAt: begun_at, turnBegunAt: turn_begun_at };
    }),
  };
}

interface SleepRow {
  readonly key: string;
  readonly begun_at: number;
  readonly due_at: number;
}

interface BranchRow {
  readonly key: string;
  readonly begun_at: number;
  readonly turn_begun_at: number | null;
}
