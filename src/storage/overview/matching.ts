import { and, inArray, type SQL, sql } from "drizzle-orm";
import { COUNT_LIMIT, type Matching } from "../../engine/overview.ts";
import type { RunFilter } from "../../engine/reads.ts";
import type { Db } from "../db.ts";
import { IS_DEAD_LETTER, matching, r, withStatus } from "../filter.ts";
import { toStatement } from "./statement.ts";

const SAMPLES = 10;

/** Counts the runs of a list, up to the limit, as the list itself would find them. */
export async function findMatching(
  db: Db,
  tenant: string,
  kind: "runs" | "deadLetters",
  filter: RunFilter,
): Promise<Matching> {
  const condition = kind === "runs" ? ofRuns(tenant, filter) : ofDeadLetters(tenant, filter);
  const [rows = []] = await db.execute([
    toStatement(sql`
      select count(*)::int as count, (array_agg(x.id))[1:${sql.raw(String(SAMPLES))}] as ids
      from (select ${r.id} from pawl.runs r where ${condition} order by ${r.id} desc limit ${COUNT_LIMIT + 1}) x`),
  ]);
  const { count, ids } = rows[0] as unknown as { count: number; ids: readonly string[] | null };
  return {
    matching: { count: Math.min(count, COUNT_LIMIT), exact: count <= COUNT_LIMIT },
    sampleIds: ids ?? [],
  };
}

function ofRuns(tenant: string, filter: RunFilter): SQL | undefined {
  const match = matching(tenant, filter, null);
  return and(match, withStatus(match, filter.statuses, COUNT_LIMIT + 1));
}

function ofDeadLetters(tenant: string, filter: RunFilter): SQL | undefined {
  const { statuses } = filter;
  const asked = statuses === undefined ? undefined : inArray(r.status, [...statuses]);
  return and(matching(tenant, filter, null), IS_DEAD_LETTER, asked);
}
