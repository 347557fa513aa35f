/** A run and all its descendants: the children that somebody up the tree waits for. Detached runs are on their own. */
import type { DueRun, Moved } from "../../../src/engine/ports.ts";
import type { RunRef } from "../../../src/engine/run.ts";
import { leaveNothingBehind, tellParentsOf } from "./commit/endings.ts";
import { wakeUpOf } from "./commit-branches.ts";
import { findRun, type State, type StoredRun, type TenantTables, tenantOf } from "./tables.ts";
import { byRef, dueNow, earlier, isLive, isMoving, refOf, sentAt, spanUntil } from "./values.ts";

const NOT_FOUND: Moved = { result: "not_found", due: [] };

function treeOf({ children }: TenantTables, root: StoredRun): StoredRun[] {
  const tree = [root];
  for (const run of tree) tree.push(...(children.get(run.row.id) ?? []));
  return tree.sort(byRef);
}

export function cancelRun(state: State, ref: RunRef, compensate: boolean): Moved {
  const root = findRun(state, ref.tenant, ref.runId);
  if (root === undefined) return NOT_FOUND;
  const { status, phase } = root.row;
  const tenant = tenantOf(state, ref.tenant);
  const live = isLive(status) ? treeOf(tenant, root).filter(({ row }) => isLive(row.status)) : [];
  const due = compensate ? undo(state, live) : cancel(state, tenant, live);
  if (live.includes(root) && (!compensate || phase === "forward")) return { result: "moved", due };
  const isOnItsWay = compensate && phase === "compensating" && isLive(status);
  return { result: status === "cancelled" || isOnItsWay ? "unchanged" : status, due };
}

/** The turns are raised, so whoever held a lease has lost it (I2). */
function cancel(state: State, tenant: TenantTables, live: readonly StoredRun[]): DueRun[] {
  for (const { row, timers } of live) {
    row.status = "cancelled";
    row.turn += 1;
    row.wakeAt = null;
    row.wakeUpSentAt = null;
    row.leaseExpiresAt = null;
    row.pausedAt = null;
    row.finishedAt = state.now;
    timers.clear();
  }
  const cancelled = new Set(live.map(({ row }) => row.id));
  const due = tellParentsOf(
    state,
    live.filter(({ row }) => row.parentId === null || !cancelled.has(row.parentId)),
  );
  for (const run of live) leaveNothingBehind(state, tenant, run);
  return due.map(dueNow);
}

/** Each run undoes what it did before it counts as cancelled; one that undoes already goes on with that. */
function undo({ now }: State, live: readonly StoredRun[]): DueRun[] {
  const forward = live.filter(({ row }) => row.phase === "forward");
  for (const { row } of forward) {
    row.status = "ready";
    row.turn += 1;
    row.wakeAt = now;
    row.wakeUpSentAt = now;
    row.leaseExpiresAt = null;
    row.lostTurns = 0;
    row.pausedAt = null;
    row.phase = "compensating";
    row.verdict = { status: "cancelled", failure: null };
  }
  return forward.map(dueNow);
}

/** What runs now may end its turn; the commit of that turn parks it. */
export function pauseRun(state: State, ref: RunRef): Moved {
  const root = findRun(state, ref.tenant, ref.runId);
  if (root === undefined) return NOT_FOUND;
  const { status, pausedAt } = root.row;
  const tree = isLive(status) ? treeOf(tenantOf(state, ref.tenant), root) : [];
  for (const { row } of tree) {
    if (!isMoving(row.status) || row.pausedAt !== null) continue;
    row.pausedAt = state.now;
    if (row.status !== "running") row.status = "paused";
    row.wakeAt = null;
    row.wakeUpSentAt = null;
  }
  if (isMoving(status) && pausedAt === null) return { result: "moved", due: [] };
  return { result: pausedAt === null ? status : "unchanged", due: [] };
}

/** Everything that came meanwhile was kept: the next turn takes it. */
export function resumeRun(state: State, ref: RunRef): Moved {
  const root = findRun(state, ref.tenant, ref.runId);
  if (root === undefined) return NOT_FOUND;
  if (!isHeld(root)) return { result: root.row.status, due: [] };
  const tree = treeOf(tenantOf(state, ref.tenant), root);
  const branches = tree.flatMap((run) => wakeBranches(state, run));
  const runs = tree.filter(isHeld).map((run) => resume(state, run));
  return { result: "moved", due: [...runs, ...branches] };
}

function isHeld({ row }: StoredRun): boolean {
  return row.pausedAt !== null && (row.status === "running" || row.status === "paused");
}

/** A resumed run is due at once, unless it is still to begin, and never after its deadline. */
function resume({ now }: State, run: StoredRun): DueRun {
  const { row } = run;
  row.pausedAt = null;
  if (row.status === "paused") {
    row.status = "ready";
    const begin = Math.max(now, row.startedAt === null ? (row.startsAt ?? now) : now);
    row.wakeAt = earlier(row.phase === "forward" ? row.deadlineAt : null, begin) ?? begin;
    row.wakeUpSentAt = sentAt(row.wakeAt, now);
  }
  return { ...refOf(run), wakeInMs: spanUntil(row.wakeAt ?? now, now) };
}

/** Branches that were left alone while a person held their run. */
function wakeBranches(state: State, run: StoredRun): DueRun[] {
  const due: DueRun[] = [];
  for (const branch of run.branches.values()) {
    if (sentAt(branch.wakeAt, state.now) === null) continue;
    branch.wakeUpSentAt = state.now;
    due.push(wakeUpOf(state, run, branch));
  }
  return due;
}
