import type { TimelineEntry } from "../../engine/overview.ts";
import type { RunRef } from "../../engine/run.ts";
import type { Db } from "../db.ts";
import { type LastEntryRow, toLastEntry } from "./entries.ts";

const RUN = "select id from pawl.runs where tenant = $1 and id = $2";

/**
 * A step of the run's own turn could begin once what came before it was journaled, or its retry was due; a branch once it was
 * there, unless another attempt of it has been made since.
 */
const ENTRIES = `
select j.seq, j.kind, j.key, j.outcome, j.attempt, j.turn, j.queued_at is not null as branch,
  pawl.ms(j.started_at) as started_at, pawl.ms(j.recorded_at) as recorded_at, pawl.ms(j.retry_at) as retry_at,
  case when j.kind in ('step', 'transaction', 'compensation') then pawl.ms(least(j.started_at,
    case when j.queued_at is null then coalesce(tried.retry_at, before.recorded_at, r.starts_at, r.created_at)
      when j.attempt = 1 then j.queued_at end)) end as queued_at,
  j.failure ->> 'code' as failure_code, j.failure ->> 'name' as failure_name,
  left(j.failure ->> 'message', 500) as failure_message,
  pg_column_size(j.output) as output_bytes,
  case when j.kind = 'start' and j.outcome = 'completed' then j.output #>> '{}' end as started_id
from pawl.journal j
join pawl.runs r on r.tenant = j.tenant and r.id = j.run_id
left join pawl.journal before on before.tenant = j.tenant and before.run_id = j.run_id and before.seq = j.seq - 1
left join pawl.journal tried on tried.tenant = j.tenant and tried.run_id = j.run_id and tried.key = j.key
  and tried.attempt = j.attempt - 1
where j.tenant = $1 and j.run_id = $2 and j.seq > $3::int
order by j.seq limit $4`;

/** Runs that were started by name: of one that went on as another, the last. */
const CHILDREN = `
select c.parent_key as key, max(c.id) as id from pawl.runs c
where c.tenant = $1 and c.parent_id = $2 and c.parent_key is not null
group by 1`;

interface Row extends LastEntryRow {
  readonly seq: number;
  readonly turn: number;
  readonly branch: boolean;
  readonly started_at: number;
  readonly queued_at: number | null;
  readonly failure_code: string | null;
  readonly output_bytes: number | null;
  readonly started_id: string | null;
}

/** A page of a run's journal for a waterfall; null when there is no such run. */
export async function readTimeline(
  db: Db,
  { tenant, runId }: RunRef,
  limit: number,
  after: number,
): Promise<TimelineEntry[] | null> {
  const its = [tenant, runId];
  const [found = [], entries = [], children = []] = await db.execute([
    { text: RUN, params: its },
    { text: ENTRIES, params: [...its, after, limit] },
    { text: CHILDREN, params: its },
  ]);
  if (found.length === 0) return null;
  const childOf = new Map(children.map(({ key, id }) => [key as string, id as string]));
  return (entries as unknown as Row[]).map((row) => toEntry(row, childOf));
}

function toEntry(row: Row, childOf: ReadonlyMap<string, string>): TimelineEntry {
  const { failure, ...last } = toLastEntry(row);
  const child = row.kind === "child" && row.key !== null ? childOf.get(row.key) : row.started_id;
  return {
    ...last,
    seq: row.seq,
    turn: row.turn,
    queuedAt: row.queued_at,
    startedAt: row.started_at,
    branch: row.branch,
    childId: child ?? null,
    outputBytes: row.output_bytes,
    failure: failure === null ? null : { code: row.failure_code ?? "error", ...failure },
  };
}
