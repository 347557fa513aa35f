import type { NewBranch } from "../../../../src/engine/decide.ts";
import type { DueRun } from "../../../../src/engine/ports.ts";
import type { State, StoredRun } from "../tables.ts";
import { instantOf, sentAt, spanUntil } from "../values.ts";
import { NOBODY, type Part } from "./held.ts";

/** Branches that nobody waits for any more. Of a run that compensates, only those that nobody performs. */
export const endBranches: Part = {
  concerns: ({ endedBranches }) => endedBranches.length > 0,
  write(_, { run, decision }) {
    for (const key of decision.endedBranches) {
      const isLeased = (run.branches.get(key)?.leaseExpiresAt ?? null) !== null;
      if (!isLeased || decision.verdict === null) run.branches.delete(key);
    }
    return NOBODY;
  },
};

/** Steps that run apart from now on, each with a wake-up of its own. */
export const forkBranches: Part = {
  concerns: ({ branches }) => branches.length > 0,
  write: (state, { run, decision }) => decision.branches.flatMap((branch) => fork(state, run, branch)),
};

function fork({ now }: State, run: StoredRun, branch: NewBranch): DueRun[] {
  const { key, askedAt, attempt, spent, due } = branch;
  if (run.branches.has(key)) return [];
  const wakeAt = due === null ? now : instantOf(due, now);
  run.branches.set(key, {
    key,
    askedAt,
    attempt,
    spent,
    attempts: [],
    turn: 0,
    lostTurns: 0,
    started: false,
    wakeAt,
    wakeUpSentAt: sentAt(wakeAt, now),
    leaseExpiresAt: null,
    begunAt: now,
  });
  const { tenant, id: runId } = run.row;
  return [{ tenant, runId, branch: key, wakeInMs: spanUntil(wakeAt, now) }];
}
