/** Bounded jobs of the cron over many runs: what was lost is taken back, what was forgotten is woken. */
import { LostTurnsExhausted } from "../../../src/engine/errors.ts";
import { type Failure, toFailure } from "../../../src/engine/failure.ts";
import type { DueRun, Sweep } from "../../../src/engine/ports.ts";
import { tellParentsOf } from "./commit/endings.ts";
import { wakeUpOf } from "./commit-branches.ts";
import { type Arrivals, arrive, bump, insertDelivery } from "./deliver.ts";
import { allRuns, type BranchRow, type State, type StoredRun } from "./tables.ts";
import {
  after,
  backoffMs,
  ConstraintViolated,
  dueNow,
  earlier,
  isMoving,
  refOf,
  spanUntil,
} from "./values.ts";

interface RunBranch {
  readonly run: StoredRun;
  readonly branch: BranchRow;
}

interface Dated {
  readonly wakeAt: number | null;
  readonly wakeUpSentAt: number | null;
}

/** I12: a lost turn is the platform's death, counted apart from the failures of the user's steps. */
export function reclaimLeases(state: State, limit: number, lostTurnLimit: number): Sweep {
  const found = firstOf(allRuns(state.tables), limit, ({ row }) => expiry(row, state.now));
  const [expired, refused] = sound(state, found);
  for (const run of expired) takeBack(state, run, lostTurnLimit);
  const due = expired.flatMap((run): DueRun[] =>
    run.row.status === "ready"
      ? [{ ...refOf(run), wakeInMs: spanUntil(run.row.wakeAt ?? 0, state.now) }]
      : [],
  );
  const told = tellParentsOf(
    state,
    expired.filter(({ row }) => row.status === "dead"),
  );
  return { due: [...due, ...told.map(dueNow)], swept: expired.length, ...refusedOf(refused) };
}

/** What can be changed, and the runs that cannot. */
function sound<T extends StoredRun | RunBranch>({ tables }: State, found: readonly T[]): [T[], StoredRun[]] {
  const runOf = (one: T): StoredRun => ("run" in one ? one.run : one);
  const isCorrupt = (one: T) => tables.corrupt.has(runOf(one).row.id);
  return [found.filter((one) => !isCorrupt(one)), found.filter(isCorrupt).map(runOf)];
}

function refusedOf(runs: readonly StoredRun[]): Pick<Sweep, "refused"> {
  if (runs.length === 0) return {};
  return {
    refused: [...new Set(runs)].map((run) => ({ ...refOf(run), error: new ConstraintViolated("corrupt") })),
  };
}

function takeBack({ now, random }: State, { row }: StoredRun, lostTurnLimit: number): void {
  const lostBefore = row.lostTurns;
  row.lostTurns += 1;
  row.turn += 1;
  row.leaseExpiresAt = null;
  row.wakeUpSentAt = null;
  if (row.lostTurns >= lostTurnLimit) {
    row.status = "dead";
    row.pausedAt = null;
    row.failure = lostRun(lostTurnLimit);
    row.finishedAt = now;
  } else if (row.pausedAt !== null) row.status = "paused";
  else {
    row.status = "ready";
    const deadlineAt = row.phase === "forward" ? row.deadlineAt : null;
    row.wakeAt = earlier(deadlineAt, after(now, backoffMs(lostBefore, random)));
    row.wakeUpSentAt = now;
  }
}

export function reclaimBranches(state: State, limit: number, lostTurnLimit: number): Sweep {
  const found = firstOf(allBranches(state), limit, ({ branch }) => expiry(branch, state.now));
  const [expired, refused] = sound(state, found);
  const again: DueRun[] = [];
  const gone: Arrivals = new Map();
  for (const { run, branch } of expired) {
    const fate = fateOf(run, branch, lostTurnLimit);
    if (fate === "again") {
      space(state, branch);
      again.push(wakeUpOf(state, run, branch));
      continue;
    }
    run.branches.delete(branch.key);
    arrive(gone, run);
    if (fate === "gone") continue;
    const { key: name, attempt, attempts } = branch;
    const failure = fate === "dead" ? { ...lostBranch(lostTurnLimit), step: name } : null;
    insertDelivery(state, run, { kind: "branch", name, outcome: fate, attempt, attempts, failure });
  }
  return {
    due: [...again, ...bump(state, gone).map(dueNow)],
    swept: again.length + gone.size,
    ...refusedOf(refused),
  };
}

/** It is tried again; at the limit its run is told that it died (I12); a body that had begun is a person's to judge. */
function fateOf({ row }: StoredRun, branch: BranchRow, lostTurnLimit: number) {
  if (row.phase !== "forward") return "gone";
  if (branch.started) return "unknown";
  return branch.lostTurns + 1 >= lostTurnLimit ? "dead" : "again";
}

function space({ now, random }: State, branch: BranchRow): void {
  branch.wakeAt = after(now, backoffMs(branch.lostTurns, random));
  branch.wakeUpSentAt = now;
  branch.lostTurns += 1;
  branch.turn += 1;
  branch.leaseExpiresAt = null;
}

/** Notes that the wake-up is sent, so that the next tick does not send it again. */
export function collectDueRuns(state: State, limit: number, graceMs: number, horizonMs: number): Sweep {
  const { now } = state;
  const found = firstOf(allRuns(state.tables), limit, ({ row }) =>
    row.status === "ready" || row.status === "waiting" ? unsent(row, now, graceMs, horizonMs) : null,
  );
  const due = found.map((run) => {
    run.row.wakeUpSentAt = now;
    return { ...refOf(run), wakeInMs: spanUntil(run.row.wakeAt ?? now, now) };
  });
  return { due, swept: due.length };
}

export function collectDueBranches(state: State, limit: number, graceMs: number, horizonMs: number): Sweep {
  const { now } = state;
  const found = firstOf(allBranches(state), limit, ({ run: { row }, branch }) =>
    isMoving(row.status) && row.phase === "forward" ? unsent(branch, now, graceMs, horizonMs) : null,
  );
  const due = found.map(({ run, branch }) => {
    branch.wakeUpSentAt = now;
    return wakeUpOf(state, run, branch);
  });
  return { due, swept: due.length };
}

function* allBranches({ tables }: State): Generator<RunBranch> {
  for (const run of allRuns(tables)) for (const branch of run.branches.values()) yield { run, branch };
}

/** When the lease ran out; null while it has not. */
function expiry({ leaseExpiresAt }: { readonly leaseExpiresAt: number | null }, now: number): number | null {
  return leaseExpiresAt !== null && leaseExpiresAt <= now ? leaseExpiresAt : null;
}

/** When it is due, of what is due within the horizon and has no wake-up under way; else null. */
function unsent(
  { wakeAt, wakeUpSentAt }: Dated,
  now: number,
  graceMs: number,
  horizonMs: number,
): number | null {
  if (wakeAt === null || wakeAt > now + horizonMs) return null;
  const isLost = wakeUpSentAt === null || Math.max(wakeAt, wakeUpSentAt) <= now - graceMs;
  return isLost ? wakeAt : null;
}

/** Those that have a time, the earliest first, at most so many. */
function firstOf<T>(all: Iterable<T>, limit: number, timeOf: (one: T) => number | null): T[] {
  const found: { readonly one: T; readonly at: number }[] = [];
  for (const one of all) {
    const at = timeOf(one);
    if (at !== null) found.push({ one, at });
  }
  return found
    .sort((a, b) => a.at - b.at)
    .slice(0, limit)
    .map(({ one }) => one);
}

function lostRun(lostTurnLimit: number): Failure {
  return failureOf(
    `The run lost ${lostTurnLimit} turns in a row: each time its invocation died, or its lease ran out, with nothing ` +
      "committed. Mend what kills it (memory, CPU time, an endless loop) and revive the run.",
  );
}

function lostBranch(lostTurnLimit: number): Failure {
  return failureOf(
    `A step lost its invocation ${lostTurnLimit} times in a row, each time with nothing committed. Mend what ` +
      "kills it (memory, CPU time, an endless loop) and revive the run.",
  );
}

/** As it is stored by `storage/reclaim-leases.ts` and `reclaim-branches.ts`. */
function failureOf(message: string): Failure {
  const { stack: _, ...failure } = toFailure(new LostTurnsExhausted(message));
  return failure;
}
