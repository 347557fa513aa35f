/** Runs whose code a deployment does not have: while two serve side by side, each takes only what it knows. */
import type { ForeignRun } from "../engine/ports.ts";
import { FOREIGN_LIMIT_MS } from "../engine/run.ts";
import type { KnownVersions } from "../engine/workflow.ts";

/** What a row says of itself when nobody claimed it. */
interface LeftRow {
  readonly tenant: string;
  readonly run_id: string;
  readonly key?: string;
  readonly workflow: string;
  readonly version: number;
  readonly overdue_ms: number;
}

/**
 * SQL: whether the code of the run `r` is among `known`, or it has been due since `wakeAt` for too long. Both `now` and `known`
 * are the one row of `at`, so that a long list is read once and not for every run.
 */
export const isKnown = (wakeAt: string) =>
  `((select known from at) is null or (select known from at) -> r.workflow @> to_jsonb(r.version)
    or ${wakeAt} <= (select now from at) - interval '${FOREIGN_LIMIT_MS} ms')`;

export function toParameter(known: KnownVersions | undefined): string | null {
  return known === undefined ? null : JSON.stringify(known);
}

export function isForeign(
  { workflow, version, overdue_ms }: Pick<LeftRow, "workflow" | "version" | "overdue_ms">,
  known: KnownVersions | undefined,
): boolean {
  if (known === undefined || overdue_ms >= FOREIGN_LIMIT_MS) return false;
  return !(Object.hasOwn(known, workflow) && known[workflow]?.includes(version));
}

/** Nothing for a row that was left for another reason. */
export function toForeign(row: LeftRow, known: KnownVersions | undefined): ForeignRun[] {
  if (!isForeign(row, known)) return [];
  const { tenant, run_id: runId, key, workflow, version, overdue_ms } = row;
  const branch = key === undefined ? {} : { branch: key };
  return [{ tenant, runId, ...branch, workflow, version, overdueMs: overdue_ms }];
}
