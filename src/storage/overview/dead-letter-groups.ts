import { and, inArray, sql } from "drizzle-orm";
import type { DeadLetterGroup } from "../../engine/overview.ts";
import type { RunFilter } from "../../engine/reads.ts";
import type { Db } from "../db.ts";
import { FINGERPRINT, IS_DEAD_LETTER, matching, r } from "../filter.ts";
import { toStatement } from "./statement.ts";

/** How many dead letters are grouped, and how many groups are shown. */
const LOOK = 10_000;
const GROUPS = 200;
const HOURS = 24;

interface Row {
  readonly fingerprint: string;
  readonly workflow: string;
  readonly step: string | null;
  readonly name: string | null;
  readonly message: string | null;
  readonly count: number;
  readonly failed: number;
  readonly first_at: number;
  readonly last_at: number;
  readonly versions: readonly number[];
  /** How many whole hours ago each of the last day ended. */
  readonly ages: readonly number[] | null;
  readonly sample_id: string;
  /** How many dead letters were looked at in all. */
  readonly seen: number;
}

/** What a step threw stands in the cause of the failure that says so. */
export async function groupDeadLetters(
  db: Db,
  tenant: string,
  filter: RunFilter,
): Promise<{ readonly groups: readonly DeadLetterGroup[]; readonly exact: boolean }> {
  const { statuses } = filter;
  const asked = statuses === undefined ? undefined : inArray(r.status, [...statuses]);
  const [rows = []] = await db.execute([
    toStatement(sql`
      with dead as materialized (
        select ${r.id}, ${r.workflow}, ${r.version}, ${r.status}, ${r.finishedAt}, ${FINGERPRINT} as fingerprint
        from pawl.runs r where ${and(matching(tenant, filter, null), IS_DEAD_LETTER, asked)}
        order by ${r.id} desc limit ${LOOK + 1}
      ),
      grouped as (
        select d.fingerprint, d.workflow, count(*)::int as count, count(*) filter (where d.status = 'failed')::int as failed,
          pawl.ms(min(d.finished_at)) as first_at, pawl.ms(max(d.finished_at)) as last_at,
          array_agg(distinct d.version) as versions, max(d.id) as sample_id,
          array_agg(a.hours) filter (where a.hours < ${HOURS}) as ages,
          (select count(*)::int from dead) as seen
        from dead d
        cross join lateral (select greatest(0, floor(extract(epoch from pawl.clock() - d.finished_at) / 3600))::int as hours) a
        group by 1, 2 order by count(*) desc, max(d.finished_at) desc limit ${GROUPS}
      )
      select g.*, s.failure ->> 'step' as step, t.thrown ->> 'name' as name, left(t.thrown ->> 'message', 500) as message
      from grouped g join pawl.runs s on s.tenant = ${tenant} and s.id = g.sample_id
      cross join lateral (select case when s.failure ->> 'code' = 'step_failed' and s.failure ? 'cause'
        then s.failure -> 'cause' else s.failure end as thrown) t
      order by g.count desc, g.last_at desc`),
  ]);
  const found = rows as unknown as Row[];
  return { groups: found.map(toGroup), exact: (found[0]?.seen ?? 0) <= LOOK };
}

function toGroup(row: Row): DeadLetterGroup {
  const { fingerprint, workflow, step, count, failed, versions } = row;
  const hours = Array.from({ length: HOURS }, () => 0);
  for (const age of row.ages ?? []) hours[HOURS - 1 - age] = (hours[HOURS - 1 - age] ?? 0) + 1;
  return {
    ...{ fingerprint, workflow, step, count, failed, versions, hours },
    name: row.name ?? "Error",
    message: row.message ?? "",
    dead: count - failed,
    firstAt: row.first_at,
    lastAt: row.last_at,
    sampleId: row.sample_id,
  };
}
