import type { Bucket, Latency, Metrics, StepStats } from "../../engine/overview.ts";
import type { Db } from "../db.ts";

/** How many runs are looked at for what began and ended, and of how many the steps. */
const LOOK = 50_000;
const STEPS_OF = 2_000;
const STEPS = 50;

/** $1 tenant, $2 how long ago the range begins, $3 the workflow or null, all of them. */
const newest = (columns: string, limit: number) => `
newest as materialized (
  select ${columns} from pawl.runs r
  where r.tenant = $1 and ($3::text is null or r.workflow = $3)
  order by r.id desc limit ${limit}
)`;
const SINCE = "(pawl.clock() - $2::float8 * interval '1 ms')";

/** The look saw all of the range when it came to a run from before; what such a run did within the range counts. */
const SPAN = `
with ${newest("r.created_at", LOOK + 1)}
select pawl.ms(${SINCE}) as since, pawl.ms(pawl.clock()) as until,
  (select count(*) <= ${LOOK} or min(n.created_at) < ${SINCE} from newest n) as exact`;

const BUCKETS = `
with ${newest("r.status, r.created_at, r.finished_at", LOOK)},
happened as (
  select n.created_at as at, 'started' as what from newest n
  union all
  select n.finished_at, case when n.status = 'dead' then 'failed' else n.status end from newest n where n.finished_at is not null
)
select floor(pawl.ms(h.at) / $4::float8) * $4::float8 as at,
  count(*) filter (where h.what = 'started')::int as started,
  count(*) filter (where h.what = 'completed')::int as completed,
  count(*) filter (where h.what = 'failed')::int as failed,
  count(*) filter (where h.what = 'cancelled')::int as cancelled
from happened h where h.at >= (select ${SINCE}) group by 1 order by 1`;

/** Attempts of steps, each with what it took. A repeat is called "name#2", an item of a map "name[3]". */
const ATTEMPTS = `
${newest("r.tenant, r.id, r.workflow", STEPS_OF)},
attempts as materialized (
  select n.workflow, n.id, regexp_replace(j.key, '(#\\d+|\\[\\d+\\])+$', '') as step, j.outcome, j.recorded_at,
    extract(epoch from j.recorded_at - j.started_at)::float8 * 1000 as took
  from newest n join pawl.journal j on j.tenant = n.tenant and j.run_id = n.id
  where j.kind in ('step', 'transaction') and j.recorded_at >= (select ${SINCE})
)`;

const QUANTILES = "percentile_cont(array[0.5, 0.95, 0.99]) within group (order by a.took)";

const LATENCY = `
with ${ATTEMPTS}
select floor(pawl.ms(a.recorded_at) / $4::float8) * $4::float8 as at, ${QUANTILES} as took
from attempts a group by 1 order by 1`;

const BY_STEP = `
with ${ATTEMPTS}
select a.workflow, a.step, count(distinct a.id)::int as runs, count(*)::int as attempts,
  count(*) filter (where a.outcome = 'retrying')::int as retries,
  count(*) filter (where a.outcome = 'failed')::int as failures, ${QUANTILES} as took
from attempts a group by 1, 2
order by count(*) filter (where a.outcome = 'retrying')::float8 / count(*) desc, avg(a.took) desc limit ${STEPS}`;

type Quantiles = readonly [number, number, number];

export async function readMetrics(
  db: Db,
  tenant: string,
  rangeMs: number,
  bucketMs: number,
  workflow: string | null,
): Promise<Metrics> {
  const asked = [tenant, rangeMs, workflow];
  const [[span] = [], buckets = [], latency = [], steps = []] = await db.execute([
    { text: SPAN, params: asked },
    { text: BUCKETS, params: [...asked, bucketMs] },
    { text: LATENCY, params: [...asked, bucketMs] },
    { text: BY_STEP, params: asked },
  ]);
  const { since, until, exact } = span as unknown as { since: number; until: number; exact: boolean };
  return {
    from: since,
    to: until,
    exact,
    buckets: buckets as unknown as Bucket[],
    latency: (latency as unknown as { at: number; took: Quantiles }[]).map(toLatency),
    steps: (steps as unknown as (Omit<StepStats, "p50Ms"> & { took: Quantiles })[]).map(toStepStats),
  };
}

function toLatency({ at, took }: { readonly at: number; readonly took: Quantiles }): Latency {
  return { at, ...toQuantiles(took) };
}

function toStepStats({ took, ...step }: Omit<StepStats, "p50Ms"> & { readonly took: Quantiles }): StepStats {
  return { ...step, ...toQuantiles(took) };
}

function toQuantiles([p50Ms, p95Ms, p99Ms]: Quantiles) {
  return { p50Ms, p95Ms, p99Ms };
}
