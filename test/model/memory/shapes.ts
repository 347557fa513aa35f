/** Rows as the engine's values. Whoever is given one can change nothing that is stored. */
import type { Entry } from "../../../src/engine/journal.ts";
import type { Parent, Run, RunDetail } from "../../../src/engine/run.ts";
import type { EntryRow, RunRow, StoredRun } from "./tables.ts";

export function toRun({ row }: StoredRun): Run {
  return {
    tenant: row.tenant,
    runId: row.id,
    workflow: row.workflow,
    version: row.version,
    status: row.status,
    turn: row.turn,
    lostTurns: row.lostTurns,
    tags: row.tags,
    idempotencyKey: row.idempotencyKey,
    currentStep: row.currentStep,
    stepsDone: row.stepsDone,
    failure: row.failure ?? row.verdict?.failure ?? null,
    createdAt: row.createdAt,
    startedAt: row.startedAt,
    wakeAt: row.wakeAt,
    leaseExpiresAt: row.leaseExpiresAt,
    deadlineAt: row.deadlineAt,
    finishedAt: row.finishedAt,
    discardedAt: row.discardedAt,
    phase: row.phase,
    failedCompensations: row.failedCompensations,
    pausedAt: row.pausedAt,
    parent: parentOf(row),
    continuedFrom: row.continuedFrom,
    continuedTo: row.continuedTo,
    forkedFrom: row.forkedFrom,
    deployment: row.deployment,
  };
}

export function toRunDetail(run: StoredRun): RunDetail {
  return { ...toRun(run), input: run.row.input, output: run.row.output };
}

export function parentOf({ parentId, parentKey }: RunRow): Parent | null {
  return parentId === null ? null : { runId: parentId, key: parentKey };
}

/** The entries from `from` to `to`, both included. */
export function entriesOf(
  journal: readonly EntryRow[],
  from: number,
  to = Number.POSITIVE_INFINITY,
): Entry[] {
  const entries: Entry[] = [];
  for (const { entry } of journal) if (entry.seq >= from && entry.seq <= to) entries.push(entry);
  return entries;
}
