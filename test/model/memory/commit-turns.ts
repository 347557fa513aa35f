/**
 * I1: a second entry for the same key and attempt refuses the commit.
 * I2: only a run that is still in the decision's turn is written, and nothing else is written for the others.
 * I4: a fact delivered since the claim leaves the run ready instead of parking it.
 */
import type { Decision } from "../../../src/engine/decide.ts";
import type { EntryKind } from "../../../src/engine/journal.ts";
import type { Committed, CommittedTurn, DueRun } from "../../../src/engine/ports.ts";
import { isFinal } from "../../../src/engine/run.ts";
import { INBOX_LIMIT } from "../../../src/storage/rows.ts";
import type { Held } from "./commit/held.ts";
import { writeJournal } from "./commit/journal.ts";
import { PARTS } from "./commit/parts.ts";
import { refuseWhatTablesRefuse } from "./commit/refuse.ts";
import { findRun, type State, type StoredRun, tenantOf } from "./tables.ts";
import { byRef, earlier, instantOf, sentAt, spanUntil } from "./values.ts";

export function commitTurns(state: State, decisions: readonly Decision[]): Committed {
  const held: Held[] = [];
  const missing: Decision[] = [];
  for (const decision of decisions) {
    const run = findRun(state, decision.tenant, decision.runId);
    if (run !== undefined && isHeld(run, decision)) {
      held.push({ decision, run, tenant: tenantOf(state, decision.tenant) });
    } else missing.push(decision);
  }
  refuseWhatTablesRefuse(held);
  held.sort((a, b) => byRef(a.run, b.run));
  const turns = held.map((one) => endTurn(state, one));
  const due = held.flatMap(({ run }) => wakeUpOf(state, run));
  for (const part of PARTS) {
    for (const one of held) if (part.concerns(one.decision)) due.push(...part.write(state, one));
  }
  for (const decision of missing) {
    const run = committedBefore(state, decision, held);
    if (run === null) continue;
    turns.push(turnOf(run));
    due.push(...wakeUpOf(state, run));
  }
  return { turns, due };
}

function isHeld({ row }: StoredRun, { turn }: Decision): boolean {
  return row.turn === turn && row.leaseExpiresAt !== null;
}

/** Writes the run, its journal and its timers. */
function endTurn(state: State, { decision, run }: Held): CommittedTurn {
  const { row } = run;
  const { now } = state;
  const final = isFinal(decision.status);
  // A claim that brought as much as it may can have left some behind: the run stays ready for the rest.
  const knowsAll = decision.consumed.length < INBOX_LIMIT && row.deliveries === decision.deliveries;
  const paused = row.pausedAt !== null;
  row.status = final ? decision.status : paused ? "paused" : knowsAll ? decision.status : "ready";
  row.wakeAt = final || paused ? null : wakeAtOf(decision, row.deadlineAt, knowsAll, now);
  row.wakeUpSentAt = sentAt(row.wakeAt, now);
  row.leaseExpiresAt = null;
  row.lostTurns = 0;
  if (final && decision.successor === null) row.pausedAt = null;
  row.finishedAt = final ? now : null;
  row.currentStep = decision.currentStep ?? row.currentStep;
  row.output = decision.output;
  row.failure = decision.failure;
  row.phase = decision.verdict === null ? "forward" : "compensating";
  row.verdict = decision.verdict;
  row.failedCompensations = decision.failedCompensations;
  row.journalBytes += decision.entryBytes;
  for (const { kind, outcome } of decision.entries) {
    if (isWork(kind) && outcome === "completed") row.stepsDone += 1;
  }
  writeJournal(state, run, decision);
  for (const key of decision.endedTimers) run.timers.delete(key);
  for (const { key, due } of decision.timers) {
    run.timers.set(key, { key, begunAt: now, dueAt: instantOf(due, now) });
  }
  return turnOf(run);
}

/** When the run is due next: at once when more has been delivered (I4), and never after its deadline. */
function wakeAtOf(
  decision: Decision,
  deadlineAt: number | null,
  knowsAll: boolean,
  now: number,
): number | null {
  const { wakeAt, wakeInMs, verdict } = decision;
  const span = wakeInMs === null ? null : instantOf({ inMs: wakeInMs }, now);
  return earlier(knowsAll ? earlier(span, wakeAt) : now, verdict === null ? deadlineAt : null);
}

function isWork(kind: EntryKind): boolean {
  return kind === "step" || kind === "transaction";
}

/** The run of a turn that ended already, with this very decision: the answer to an earlier try was lost. */
function committedBefore(
  state: State,
  { tenant, runId, turn }: Decision,
  held: readonly Held[],
): StoredRun | null {
  const run = findRun(state, tenant, runId);
  if (run === undefined || run.row.turn !== turn || run.row.status === "running") return null;
  return held.some((one) => one.run === run) ? null : run;
}

function turnOf({ row }: StoredRun): CommittedTurn {
  return { tenant: row.tenant, runId: row.id, status: row.status };
}

function wakeUpOf({ now }: State, { row }: StoredRun): DueRun[] {
  if (row.wakeAt === null) return [];
  return [{ tenant: row.tenant, runId: row.id, wakeInMs: spanUntil(row.wakeAt, now) }];
}
