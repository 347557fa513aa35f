/**
 * Counts runs by status without ever reading all of them. Two kinds of look, each at so many runs: one at the newest that
 * the filter fits, whatever their status, and one for each status whose runs an index finds. A number is exact when
 * one of the looks saw everything there is.
 */
import { and, type SQL, sql } from "drizzle-orm";
import { COUNT_LIMIT, COUNTED, type Count, type RunCounts } from "../../engine/overview.ts";
import type { RunFilter } from "../../engine/reads.ts";
import type { Db } from "../db.ts";
import { matching, r, WAITS_FOR_TIME } from "../filter.ts";
import { toStatement } from "./statement.ts";

/** How many runs one look takes in: as many as are counted. */
const LOOK = COUNT_LIMIT + 1;

type Counted = keyof RunCounts;

interface Look {
  /** What it can count. */
  readonly counts: readonly Counted[];
  /** Where it looks, in the order of the index that leads there. */
  readonly at: SQL;
}

const newest = (condition: SQL): SQL => sql`${condition} order by ${r.id} desc`;
const ofStatus = (status: string): SQL => newest(sql`${r.status} = ${sql.raw(`'${status}'`)}`);

const LOOKS: readonly Look[] = [
  { counts: COUNTED, at: newest(sql`true`) },
  { counts: ["ready"], at: sql`${r.status} = 'ready' order by ${r.wakeAt}` },
  { counts: ["running"], at: sql`${r.status} = 'running' order by ${r.leaseExpiresAt}` },
  { counts: ["sleeping", "waiting"], at: ofStatus("waiting") },
  { counts: ["paused"], at: ofStatus("paused") },
  { counts: ["cancelled"], at: ofStatus("cancelled") },
  { counts: ["failed"], at: ofStatus("failed") },
  { counts: ["dead"], at: ofStatus("dead") },
];

/** What the badge shows: looked for on its own, since nothing else tells what was discarded. */
const DEAD_LETTERS: Look = {
  counts: ["deadLetters"],
  at: newest(sql`${r.status} in ('failed', 'dead') and ${r.discardedAt} is null`),
};

const COUNTED_AS = sql`case when ${r.status} = 'waiting' and ${WAITS_FOR_TIME} then 'sleeping' else ${r.status} end`;

interface Row {
  readonly counted: Counted;
  /** Runs of the look that the filter fits, and all that it saw. */
  readonly fitting: number;
  readonly seen: number;
}

export async function countRuns(db: Db, tenant: string, filter: RunFilter): Promise<RunCounts> {
  const { statuses: _, createdAfter, createdBefore, newerThan, ...rest } = filter;
  const within = matching(tenant, { createdAfter, createdBefore, newerThan }, null);
  const first = narrow(tenant, rest, within);
  const looks = [...LOOKS, DEAD_LETTERS];
  const answers = await db.execute(
    looks.map((look, i) => countIn(look, i === 0 ? first : within, tenant, rest)),
  );
  const counts = new Map<Counted, Count>();
  for (const [i, { counts: counted }] of looks.entries()) {
    const rows = answers[i] as unknown as Row[];
    const exact = rows.reduce((seen, row) => seen + row.seen, 0) < LOOK;
    for (const name of counted) {
      const count = rows.reduce((sum, row) => sum + (isOf(row, name) ? row.fitting : 0), 0);
      counts.set(name, better(counts.get(name), toCount(count, exact)));
    }
  }
  return Object.fromEntries(counts) as Record<Counted, Count>;
}

/** The first look is at what the filter fits as far as an index can tell: what stands in the input, none can. */
function narrow(tenant: string, { input: _, ...rest }: RunFilter, within: SQL | undefined): SQL | undefined {
  return and(within, matching(tenant, rest, null));
}

function countIn({ at }: Look, within: SQL | undefined, tenant: string, rest: RunFilter) {
  const fits = matching(tenant, rest, null);
  return toStatement(sql`
    select ${COUNTED_AS} as counted, count(*) filter (where ${fits})::int as fitting, count(*)::int as seen
    from (select * from pawl.runs r where ${within} and ${at} limit ${LOOK}) r
    group by 1`);
}

function isOf(row: Row, name: Counted): boolean {
  return name === "deadLetters" || row.counted === name;
}

function toCount(count: number, exact: boolean): Count {
  return { count: Math.min(count, COUNT_LIMIT), exact: exact && count <= COUNT_LIMIT };
}

/** The exact one, else the larger: each is at most what there is. */
function better(before: Count | undefined, now: Count): Count {
  if (before === undefined || now.exact) return now;
  return before.exact || before.count >= now.count ? before : now;
}
