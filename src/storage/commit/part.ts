import type { Decision } from "../../engine/decide.ts";
import type { Row } from "../db.ts";

/**
 * What a commit writes besides the runs and their journals: one more statement of the same transaction, sent only
 * when a decision has something for it. It writes for no turn that the commit left out (I2).
 */
export interface Part {
  /** Rows of the statement's one parameter; each names its turn as `tenant`, `runId` and `turn`. */
  rowsOf(decision: Decision): readonly Row[];
  readonly text: string;
}

/** The turns that the first statement noted as committed: a batch may hold a turn of a run beside the one after it. */
const COMMITTED_TURNS = `(
  select c ->> 0 as tenant, c ->> 1 as run_id, (c ->> 2)::int as turn
  from jsonb_array_elements(current_setting('pawl.committed')::jsonb) c
)`;

/** The rows of `$1` whose turns were committed, as the CTE `given`; `columns` are those besides the turn's. */
export function given(...columns: readonly string[]): string {
  const all = ['"tenant" text', '"runId" text', '"turn" int', ...columns].join(", ");
  return `given as materialized (
  select g.* from jsonb_to_recordset($1::jsonb) as g (${all})
  join ${COMMITTED_TURNS} c on c.tenant = g.tenant and c.run_id = g."runId" and c.turn = g.turn
)`;
}

/** The turn that a row is about. */
export function turnOf({ tenant, runId, turn }: Decision): { tenant: string; runId: string; turn: number } {
  return { tenant, runId, turn };
}
