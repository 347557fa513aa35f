/** Runs whose code a deployment does not have. */
import type { ForeignRun } from "../../../src/engine/ports.ts";
import { FOREIGN_LIMIT_MS } from "../../../src/engine/run.ts";
import type { KnownVersions } from "../../../src/engine/workflow.ts";
import type { RunRow } from "./tables.ts";

/** Whether the deployment that asks may take what is due: it has the code, or nobody has had it for too long. */
export function isKnown(
  { workflow, version }: RunRow,
  { wakeAt }: { readonly wakeAt: number | null },
  now: number,
  known: KnownVersions | undefined,
): boolean {
  if (known === undefined || (wakeAt !== null && wakeAt <= now - FOREIGN_LIMIT_MS)) return true;
  return Object.hasOwn(known, workflow) && known[workflow]?.includes(version) === true;
}

export function foreignOf(
  { tenant, id: runId, workflow, version }: RunRow,
  { wakeAt }: { readonly wakeAt: number | null },
  now: number,
): ForeignRun {
  return { tenant, runId, workflow, version, overdueMs: now - (wakeAt ?? now) };
}
