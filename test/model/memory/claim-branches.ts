/** I2: every claim raises the branch's turn, the number that everything written for it must carry. */
import type { ClaimedBranches, ForeignRun } from "../../../src/engine/ports.ts";
import type { BranchRef, ClaimedBranch, ClaimedRun } from "../../../src/engine/run.ts";
import type { KnownVersions } from "../../../src/engine/workflow.ts";
import { foreignOf, isKnown } from "./foreign.ts";
import { entriesOf, parentOf } from "./shapes.ts";
import { type BranchRow, findRun, type State, type StoredRun } from "./tables.ts";
import { byRef, compareText, isDue, isMoving, refOf } from "./values.ts";
import { journalBytes, share, weightOfBranch } from "./weigh.ts";

interface Asked {
  readonly run: StoredRun;
  readonly branch: BranchRow;
}

export function claimBranches(
  state: State,
  refs: readonly BranchRef[],
  leaseMs: number,
  known?: KnownVersions,
): ClaimedBranches {
  return claimThose(state, refs, leaseMs, (lostTurns) => lostTurns === 0, known);
}

export function claimSuspectBranch(state: State, ref: BranchRef, leaseMs: number): ClaimedBranches {
  return claimThose(state, [ref], leaseMs, (lostTurns) => lostTurns > 0);
}

function claimThose(
  state: State,
  refs: readonly BranchRef[],
  leaseMs: number,
  mayBeClaimed: (lostTurns: number) => boolean,
  known?: KnownVersions,
): ClaimedBranches {
  const foreign: ForeignRun[] = [];
  const due = new Set<BranchRow>();
  const claimable: Asked[] = [];
  for (const ref of refs) {
    const asked = find(state, ref);
    if (asked === null || due.has(asked.branch) || !isDue(asked.branch, state.now)) continue;
    due.add(asked.branch);
    const { row } = asked.run;
    if (!isKnown(row, asked.branch, state.now, known)) {
      foreign.push({ ...foreignOf(row, asked.branch, state.now), branch: ref.key });
      continue;
    }
    const { status, phase } = row;
    if (mayBeClaimed(asked.branch.lostTurns) && isMoving(status) && phase === "forward")
      claimable.push(asked);
  }
  const fitting = share(state, claimable, ({ run, branch }) => weightOfBranch(run, branch.askedAt));
  const rest = claimable.filter((one) => !fitting.includes(one));
  fitting.sort((a, b) => byRef(a.run, b.run) || compareText(a.branch.key, b.branch.key));
  const claimed = claim(state, fitting, leaseMs);
  const suspects = refs.filter((ref) => {
    const asked = find(state, ref);
    return (
      isSuspect(asked, state.now) && !foreign.some((one) => one.branch === ref.key && one.runId === ref.runId)
    );
  });
  return {
    claimed,
    suspects,
    ...(known === undefined ? {} : { foreign }),
    ...(rest.length === 0 ? {} : { rest: rest.map(({ run, branch: { key } }) => ({ ...refOf(run), key })) }),
  };
}

function find(state: State, { tenant, runId, key }: BranchRef): Asked | null {
  const run = findRun(state, tenant, runId);
  const branch = run?.branches.get(key);
  return run === undefined || branch === undefined ? null : { run, branch };
}

function isSuspect(asked: Asked | null, now: number): boolean {
  return asked !== null && asked.branch.lostTurns > 0 && isDue(asked.branch, now);
}

function claim(state: State, asked: readonly Asked[], leaseMs: number): ClaimedBranch[] {
  const shared = new Map<StoredRun, Map<number, ClaimedRun>>();
  return asked.map(({ run, branch }) => {
    branch.turn += 1;
    branch.wakeAt = null;
    branch.wakeUpSentAt = null;
    branch.leaseExpiresAt = state.now + leaseMs;
    const { key, turn: branchTurn, attempt, spent, askedAt } = branch;
    const { tenant, id: runId } = run.row;
    const states = shared.get(run) ?? new Map<number, ClaimedRun>();
    shared.set(run, states);
    const then = states.get(askedAt) ?? runAsOf(state, run, askedAt);
    states.set(askedAt, then);
    return { tenant, runId, key, branchTurn, attempt, spent, askedAt, run: then };
  });
}

/** Nothing has arrived for a run that stands where one of its steps was asked for. */
function runAsOf({ now, sizes }: State, { row, journal }: StoredRun, askedAt: number): ClaimedRun {
  const partial = askedAt > sizes.pageEntries || journalBytes(journal, askedAt) > sizes.claimBytes;
  return {
    tenant: row.tenant,
    runId: row.id,
    workflow: row.workflow,
    version: row.version,
    turn: row.turn,
    tags: row.tags,
    input: row.input,
    now,
    startedAt: row.startedAt ?? now,
    deadlineAt: row.deadlineAt,
    parent: parentOf(row),
    journal: partial ? [] : entriesOf(journal, 0, askedAt),
    deliveries: 0,
    verdict: null,
    failedCompensations: 0,
    journalBytes: 0,
    partial,
    timers: [],
    waits: [],
    branches: [],
    inbox: [],
  };
}
