/** Runs that nothing would ever move again: the rules of the view `pawl.stuck_runs`. */
import type { State, StoredRun } from "./tables.ts";
import { findRun } from "./tables.ts";

export interface Stuck {
  readonly runId: string;
  readonly why: string;
}

export function stuckReasons(state: State, run: StoredRun): string[] {
  const { row } = run;
  const isParked = row.status === "ready" || row.status === "waiting";
  return [
    ...reasonsToMove(run),
    ...(row.status === "waiting" ? unheard(state, run) : []),
    ...(isParked && row.phase === "forward" ? overslept(state, run) : []),
    ...leftBehind(run),
  ];
}

function reasonsToMove({ row, waits, branches }: StoredRun): string[] {
  const reasons = Number(row.wakeAt !== null) + Number(row.leaseExpiresAt !== null);
  const mayMove = row.status === "ready" || row.status === "running" || row.status === "waiting";
  const mustMove = row.status === "ready" || row.status === "running";
  if (reasons > Number(mayMove) || (mustMove && reasons === 0)) return ["no single reason to move"];
  const isForgotten = row.status === "waiting" && reasons === 0 && waits.size === 0 && branches.size === 0;
  return isForgotten ? ["waits for nothing"] : [];
}

/** What has arrived, or has ended, for a run that is parked beside it. */
function unheard(state: State, { row, waits, inbox }: StoredRun): string[] {
  const stuck: string[] = [];
  const sleeps = row.phase === "forward" && (row.wakeAt === null || row.wakeAt > state.now);
  for (const { wait, name } of waits.values()) {
    const byName = wait.kind === "signal" || wait.kind === "mutation";
    let isTold = false;
    for (const { delivery } of inbox.values()) {
      const fits = delivery.kind === wait.kind && delivery.name === (byName ? name : wait.key);
      if (fits && sleeps) stuck.push(`parked beside the delivery for ${delivery.name}`);
      isTold ||= delivery.kind === "child" && delivery.name === wait.key;
    }
    if (wait.kind !== "child" || isTold) continue;
    const child = findRun(state, row.tenant, name)?.row;
    const isOver = child === undefined || (child.finishedAt !== null && child.continuedTo === null);
    if (isOver) stuck.push(`waits for the child ${name}, which is over`);
  }
  return stuck;
}

function overslept({ now }: State, { row, timers, waits }: StoredRun): string[] {
  const stuck: string[] = [];
  const wakeAt = row.wakeAt ?? Number.POSITIVE_INFINITY;
  // A run that is due, or spaced out after a lost turn, moves again all the same.
  const isLate = (dueAt: number | null) =>
    row.lostTurns === 0 && dueAt !== null && wakeAt > Math.max(dueAt, now);
  for (const { key, dueAt } of timers.values()) if (isLate(dueAt)) stuck.push(`sleeps past its timer ${key}`);
  for (const { wait } of waits.values())
    if (isLate(wait.dueAt)) stuck.push(`waits past the time of ${wait.key}`);
  if (row.deadlineAt !== null && wakeAt > row.deadlineAt) stuck.push("sleeps past its deadline");
  return stuck;
}

function leftBehind({ row, timers, waits, branches }: StoredRun): string[] {
  const isWhollyOver = row.status === "completed" || row.status === "cancelled";
  const isOver = isWhollyOver || row.status === "failed";
  return [
    ...(isWhollyOver ? [...timers.keys()].map((key) => `left the timer ${key} behind`) : []),
    ...(isWhollyOver ? [...waits.keys()].map((key) => `left the wait ${key} behind`) : []),
    ...(isOver ? [...branches.keys()].map((key) => `left the branch ${key} behind`) : []),
  ];
}
