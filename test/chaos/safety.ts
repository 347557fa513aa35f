/** What must be true at every instant, whatever has just died: each a statement that gives the rows which break it. */
import type { TestDatabase } from "../support/database.ts";
import { TABLES } from "../support/tables.ts";
import { BALANCE } from "./audit.ts";
import { ACCOUNTS } from "./samples.ts";

interface Check {
  readonly promise: string;
  /** Rows with what must not be: `run_id` where there is one, and `detail`. */
  readonly sql: string;
}

export const STUCK: Check = {
  promise: "no run is stuck (V5, V7)",
  sql: "select id as run_id, reason as detail from pawl.stuck_runs",
};

const CHECKS: readonly Check[] = [
  {
    promise: "what is final stays, turns rise by one, journals only grow (V1, V3, V4)",
    sql: "select run_id, what || ': ' || detail as detail from chaos.broken",
  },
  {
    promise: "a journal has no gaps, and one completed entry to a key (V1, V2)",
    sql: `select run_id, 'entries ' || count(*) || ', last ' || max(seq) as detail from pawl.journal group by run_id
          having count(*) <> max(seq)
            or count(key) filter (where outcome = 'completed') <> count(distinct key) filter (where outcome = 'completed')`,
  },
  {
    promise: "the entries of a journal are in the order of their turns, none later than its run's (V9)",
    sql: `select run_id, 'entry ' || seq as detail from (
            select j.run_id, j.seq, j.turn, lag(j.turn) over (partition by j.run_id order by j.seq) as before, r.turn as last
            from pawl.journal j join pawl.runs r on r.id = j.run_id where r.forked_from is null
          ) entries where turn < before or turn > last`,
  },
  {
    promise: "what runs is leased, and nothing else is (V6)",
    sql: `select id as run_id, status as detail from pawl.runs where (status = 'running') <> (lease_expires_at is not null)`,
  },
  {
    promise: "a signal is consumed by an entry that is there, and none by two (V8)",
    sql: `select d.run_id, 'signal ' || d.id || ' by ' || d.consumed_by as detail from pawl.deliveries d
          left join pawl.journal j on j.run_id = d.run_id and j.key = d.consumed_by
          where d.consumed_by is not null and j.key is null
          union all
          select run_id, count(*) || ' signals by ' || consumed_by from pawl.deliveries
          where consumed_by is not null group by run_id, consumed_by having count(*) > 1`,
  },
  {
    promise: "every row has the tenant of its run (V13)",
    sql: TABLES.map(
      (table) => `select null as run_id, '${table}' as detail from pawl.${table} where tenant <> 'default'`,
    ).join(" union all "),
  },
  {
    promise: "a transaction is done whole and at most once",
    sql: `select null as run_id, 'the sum is ' || sum(balance) as detail from chaos.accounts having sum(balance) <> ${ACCOUNTS * BALANCE}
          union all
          select run_id, count(*) || ' times' from chaos.transfers group by run_id having count(*) > 1`,
  },
  {
    promise: "no run is dead (L2)",
    sql: "select id as run_id, failure::text as detail from pawl.runs where status = 'dead'",
  },
];

export interface Violation {
  readonly promise: string;
  readonly runId: string | null;
  readonly detail: string;
}

/** What is broken now. Rejects when Postgres does not answer. */
export async function safety(
  database: TestDatabase,
  checks: readonly Check[] = CHECKS,
): Promise<Violation[]> {
  const found: Violation[] = [];
  for (const { promise, sql } of checks) {
    const rows = await database.rows<{ run_id: string | null; detail: string }>(`${sql} limit 20`);
    found.push(...rows.map(({ run_id, detail }) => ({ promise, runId: run_id, detail })));
  }
  return found;
}
