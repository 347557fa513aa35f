/** I2: every claim raises the turn, the number that everything written for it must carry. */
import type { Delivery } from "../../../src/engine/delivery.ts";
import type { Claim, ClaimedBatch } from "../../../src/engine/ports.ts";
import type { ClaimedRun, RunRef } from "../../../src/engine/run.ts";
import type { KnownVersions } from "../../../src/engine/workflow.ts";
import { INBOX_LIMIT } from "../../../src/storage/rows.ts";
import { foreignOf, isKnown } from "./foreign.ts";
import { entriesOf, parentOf } from "./shapes.ts";
import { findRun, type State, type StoredRun } from "./tables.ts";
import { byRef, isDue } from "./values.ts";

/** A run that is asked for, with the earliest entry that somebody asks for. */
interface Asked {
  readonly run: StoredRun;
  from: number;
  /** Everybody who asks knows the beginning of the journal. */
  partial: boolean;
}

export function claimRuns(
  state: State,
  claims: readonly Claim[],
  leaseMs: number,
  known?: KnownVersions,
): ClaimedBatch {
  return claimThose(state, claims, leaseMs, (lostTurns) => lostTurns === 0, known);
}

export function claimSuspect(state: State, ref: RunRef, leaseMs: number): ClaimedBatch {
  return claimThose(state, [ref], leaseMs, (lostTurns) => lostTurns > 0);
}

function claimThose(
  state: State,
  claims: readonly Claim[],
  leaseMs: number,
  mayBeClaimed: (lostTurns: number) => boolean,
  known?: KnownVersions,
): ClaimedBatch {
  const asked = askedRuns(state, claims);
  const all = asked.filter(({ run: { row } }) => isDue(row, state.now));
  const due = all.filter(({ run: { row } }) => isKnown(row, row, state.now, known));
  const foreign = all
    .filter((one) => !due.includes(one))
    .map(({ run: { row } }) => foreignOf(row, row, state.now));
  const claimable = due.filter(({ run }) => mayBeClaimed(run.row.lostTurns));
  if (claimable.length > 1) claimable.sort((a, b) => byRef(a.run, b.run));
  const claimed = claimable.map((one) => claim(state, one, leaseMs));
  const suspects = due.flatMap(({ run: { row } }) =>
    row.lostTurns > 0 && isDue(row, state.now) ? [{ tenant: row.tenant, runId: row.id }] : [],
  );
  return { claimed, suspects, ...(known === undefined ? {} : { foreign }) };
}

function askedRuns(state: State, claims: readonly Claim[]): Asked[] {
  const asked = new Map<StoredRun, Asked>();
  for (const { tenant, runId, after = 0 } of claims) {
    const run = findRun(state, tenant, runId);
    if (run === undefined) continue;
    const known = asked.get(run);
    if (known === undefined) asked.set(run, { run, from: after, partial: after > 1 });
    else {
      known.from = Math.min(known.from, after);
      known.partial &&= after > 1;
    }
  }
  return [...asked.values()];
}

function claim({ now }: State, { run, from, partial }: Asked, leaseMs: number): ClaimedRun {
  const { row } = run;
  row.status = "running";
  row.turn += 1;
  row.wakeAt = null;
  row.wakeUpSentAt = null;
  row.leaseExpiresAt = now + leaseMs;
  row.startedAt ??= now;
  return {
    tenant: row.tenant,
    runId: row.id,
    workflow: row.workflow,
    version: row.version,
    turn: row.turn,
    deliveries: row.deliveries,
    tags: row.tags,
    input: row.input,
    now,
    startedAt: row.startedAt,
    deadlineAt: row.deadlineAt,
    parent: parentOf(row),
    verdict: row.verdict,
    failedCompensations: row.failedCompensations,
    journalBytes: row.journalBytes,
    partial,
    ...partsOf(run, from),
  };
}

/** For a turn that finds nobody knows the beginning of its journal after all. */
export function reloadRun(state: State, run: ClaimedRun): ClaimedRun | null {
  const stored = findRun(state, run.tenant, run.runId);
  if (stored === undefined || stored.row.turn !== run.turn || stored.row.leaseExpiresAt === null) return null;
  return { ...run, ...partsOf(stored, 0), partial: false };
}

function partsOf(run: StoredRun, from: number) {
  return {
    journal: entriesOf(run.journal, from),
    timers: valuesOf(run.timers, (timer) => timer).sort((a, b) => a.dueAt - b.dueAt),
    waits: valuesOf(run.waits, ({ wait }) => wait),
    branches: valuesOf(run.branches, ({ key, leaseExpiresAt }) => ({ key, leased: leaseExpiresAt !== null })),
    inbox: inboxOf(run),
  };
}

/** At most so many. What the run waits for comes first, so that a flood of other signals hides nothing from it. */
function inboxOf({ inbox, waits }: StoredRun): Delivery[] {
  const all = valuesOf(inbox, ({ delivery }) => delivery);
  if (all.length <= INBOX_LIMIT) return all;
  const awaited = new Set<string>();
  for (const { wait, name } of waits.values()) if (wait.kind === "signal") awaited.add(name);
  const rank = ({ kind, name }: Delivery) => (kind !== "signal" ? 0 : awaited.has(name) ? 1 : 2);
  return all
    .sort((a, b) => rank(a) - rank(b) || a.id - b.id)
    .slice(0, INBOX_LIMIT)
    .sort((a, b) => a.id - b.id);
}

/** Most runs have none of most things: then nothing is walked. */
function valuesOf<From, To>(map: ReadonlyMap<unknown, From>, read: (value: From) => To): To[] {
  const values: To[] = [];
  if (map.size > 0) for (const value of map.values()) values.push(read(value));
  return values;
}
