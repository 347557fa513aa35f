import type { Range, WorkflowStats } from "../../engine/overview.ts";
import type { Db } from "../db.ts";

/** How many runs are looked at. */
const LOOK = 20_000;

/**
 * One row for each workflow, and one for each of its versions. Runs are taken by their ids, so that the look ends whatever
 * the range: it saw all of the range when it came to a run from before.
 */
const STATS = `
with newest as materialized (
  select r.workflow, r.version, r.status, r.created_at, r.started_at, r.finished_at from pawl.runs r
  where r.tenant = $1 order by r.id desc limit ${LOOK + 1}
)
select n.workflow, n.version, count(*)::int as started, pawl.ms(max(n.created_at)) as last_at,
  count(*) filter (where n.status = 'completed')::int as completed,
  count(*) filter (where n.status in ('failed', 'dead'))::int as failed,
  count(*) filter (where n.status = 'cancelled')::int as cancelled,
  count(*) filter (where n.finished_at is null)::int as live,
  percentile_cont(array[0.5, 0.95]) within group (order by extract(epoch from n.finished_at - n.started_at)::float8 * 1000)
    filter (where n.status = 'completed') as took
from newest n where n.created_at >= (select pawl.clock() - $2::float8 * interval '1 ms')
group by grouping sets ((n.workflow), (n.workflow, n.version))
order by n.workflow, n.version desc nulls first`;

const SPAN = `
with newest as (select r.created_at from pawl.runs r where r.tenant = $1 order by r.id desc limit ${LOOK + 1})
select pawl.ms(pawl.clock() - $2::float8 * interval '1 ms') as since, pawl.ms(pawl.clock()) as until,
  (select count(*) <= ${LOOK} or min(n.created_at) < pawl.clock() - $2::float8 * interval '1 ms' from newest n) as exact`;

interface Row {
  readonly workflow: string;
  /** Null in the row of all versions, which comes first. */
  readonly version: number | null;
  readonly started: number;
  readonly last_at: number;
  readonly completed: number;
  readonly failed: number;
  readonly cancelled: number;
  readonly live: number;
  readonly took: readonly [number, number] | null;
}

export async function readWorkflowStats(
  db: Db,
  tenant: string,
  rangeMs: number,
): Promise<Range & { readonly workflows: readonly WorkflowStats[] }> {
  const params = [tenant, rangeMs];
  const [[span] = [], rows = []] = await db.execute([
    { text: SPAN, params },
    { text: STATS, params },
  ]);
  const { since, until, exact } = span as unknown as { since: number; until: number; exact: boolean };
  const all = rows as unknown as Row[];
  const workflows = all.filter(({ version }) => version === null).map((row) => toStats(row, all));
  return { from: since, to: until, exact, workflows };
}

function toStats({ workflow, took, ...row }: Row, all: readonly Row[]): WorkflowStats {
  const { started, completed, failed, cancelled, live } = row;
  const versions = all.flatMap((each) =>
    each.workflow === workflow && each.version !== null
      ? [{ version: each.version, runs: each.started, lastAt: each.last_at }]
      : [],
  );
  const [p50Ms = null, p95Ms = null] = took ?? [];
  return { name: workflow, versions, started, completed, failed, cancelled, live, p50Ms, p95Ms };
}
