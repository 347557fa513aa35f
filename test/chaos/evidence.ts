/** What there is in the database about runs that broke a promise, to be read after the database is gone. */
import type { TestDatabase } from "../support/database.ts";
import type { Ledger } from "../support/ledger.ts";
import type { Violation } from "./safety.ts";

const MOST_RUNS = 8;

const LOOKS = {
  run: "select * from pawl.runs where id = $1",
  journal:
    "select seq, kind, key, outcome, attempt, turn, recorded_at, failure ->> 'message' as failure from pawl.journal where run_id = $1 order by seq",
  waits: "select kind, name, key, due_at from pawl.waits where run_id = $1",
  branches: "select * from pawl.branches where run_id = $1",
  deliveries: "select kind, name, outcome, dedupe_id, consumed_by from pawl.deliveries where run_id = $1",
  lost: "select key from chaos.lost where run_id = $1",
};

export async function gatherEvidence(
  database: TestDatabase,
  ledger: Ledger,
  violations: readonly Violation[],
): Promise<string> {
  const ids = new Set(violations.flatMap(({ runId }) => runId ?? []));
  const parts: string[] = [];
  for (const id of [...ids].slice(0, MOST_RUNS)) {
    for (const [what, sql] of Object.entries(LOOKS))
      for (const row of await database.rows(sql, [id])) parts.push(`${id} ${what} ${JSON.stringify(row)}`);
    for (const effect of ledger.of(id)) parts.push(`${id} effect ${JSON.stringify(effect)}`);
  }
  return parts.join("\n");
}
