import type { Decision } from "../../engine/decide.ts";
import type { Row } from "../db.ts";

/**
 * What a commit writes besides the runs and their journals: one more statement of the same transaction, sent only
 * when a decision has something for it. It writes for no run that the commit left out: `pawl.committed()` (I2).
 */
export interface Part {
  /** Rows of the statement's one parameter; each names its run as `tenant` and `runId`. */
  rowsOf(decision: Decision): readonly Row[];
  readonly text: string;
}

/** The rows of `$1` whose runs were committed, as the CTE `given`; `columns` are those besides the run's. */
export function given(columns: string): string {
  return `given as materialized (
  select g.* from jsonb_to_recordset($1::jsonb) as g ("tenant" text, "runId" text, ${columns})
  join pawl.committed() c on c.tenant = g.tenant and c.run_id = g."runId"
)`;
}

/** The run that a row is about. */
export function runOf({ tenant, runId }: Decision): { tenant: string; runId: string } {
  return { tenant, runId };
}
