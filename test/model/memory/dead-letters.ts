/** What a person does with runs that failed or died. */
import type { DiscardResult, DueRun, ReviveResult } from "../../../src/engine/ports.ts";
import type { RunRef } from "../../../src/engine/run.ts";
import { wakeUpOf } from "./commit-branches.ts";
import { findRun, type State, type StoredRun } from "./tables.ts";
import { dueNow, sentAt } from "./values.ts";

/** I3: the one way out of `failed` and `dead`, and it raises the turn. */
export function reviveRun(state: State, { tenant, runId }: RunRef): ReviveResult {
  const run = findRun(state, tenant, runId);
  if (run === undefined) return { result: "not_found", due: [] };
  const { status, phase } = run.row;
  if (status === "failed" && phase === "compensating") return { result: "undone", due: [] };
  if (status !== "dead" && status !== "failed") return { result: status, due: [] };
  const branches = status === "dead" && phase === "forward" ? wakeBranches(state, run) : [];
  revive(state, run);
  return { result: "revived", due: [dueNow(run), ...branches] };
}

/** The journal keeps the failure that is forgiven: planners do not count it any more. */
function revive({ now }: State, { row, journal }: StoredRun): void {
  const { failure } = row;
  row.status = "ready";
  row.turn += 1;
  row.lostTurns = 0;
  row.wakeAt = now;
  row.wakeUpSentAt = now;
  row.finishedAt = null;
  row.discardedAt = null;
  row.pausedAt = null;
  row.failure = null;
  if (row.deadlineAt !== null && row.deadlineAt <= now) row.deadlineAt = null;
  const seq = 1 + (journal.at(-1)?.entry.seq ?? 0);
  const nothing = { key: null, attempt: 1, output: null, retryAt: null };
  const entry = { seq, kind: "revival", outcome: "revived", failure, ...nothing } as const;
  journal.push({ entry, turn: row.turn, startedAt: now, recordedAt: now });
}

/** Branches that were left alone while the run was dead: they have their budgets back, too. */
function wakeBranches(state: State, run: StoredRun): DueRun[] {
  const due: DueRun[] = [];
  for (const branch of run.branches.values()) {
    if (branch.wakeAt === null) continue;
    branch.lostTurns = 0;
    branch.spent = 0;
    branch.wakeUpSentAt = sentAt(branch.wakeAt, state.now);
    due.push(wakeUpOf(state, run, branch));
  }
  return due;
}

/** Takes a run off the list of dead letters; its status stays. */
export function discardRun(state: State, { tenant, runId }: RunRef): DiscardResult {
  const row = findRun(state, tenant, runId)?.row;
  if (row === undefined) return "not_found";
  if (row.status !== "failed" && row.status !== "dead") return row.status;
  row.discardedAt ??= state.now;
  return "discarded";
}
