/** I2: every claim raises the turn, the number that everything written for it must carry. */
import type { Delivery } from "../../../src/engine/delivery.ts";
import type { Entry } from "../../../src/engine/journal.ts";
import type { Claim, ClaimedBatch } from "../../../src/engine/ports.ts";
import type { ClaimedRun, RunRef } from "../../../src/engine/run.ts";
import type { KnownVersions } from "../../../src/engine/workflow.ts";
import { INBOX_LIMIT } from "../../../src/storage/rows.ts";
import { foreignOf, isKnown } from "./foreign.ts";
import { entriesOf, parentOf } from "./shapes.ts";
import { findRun, type State, type StoredRun } from "./tables.ts";
import { byRef, isDue, refOf } from "./values.ts";
import { share, weightOf, weightOfRun } from "./weigh.ts";

/** A run that is asked for. */
interface Asked {
  readonly run: StoredRun;
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
  const fitting = due.filter(({ run }) => mayBeClaimed(run.row.lostTurns));
  const claimable = share(state, fitting, ({ run, partial }) => weightOfRun(state, run, partial));
  const rest = fitting.filter((one) => !claimable.includes(one));
  if (claimable.length > 1) claimable.sort((a, b) => byRef(a.run, b.run));
  const claimed = claimable.map((one) => claim(state, one, leaseMs));
  const suspects = due.flatMap(({ run }) =>
    run.row.lostTurns > 0 && isDue(run.row, state.now) ? [refOf(run)] : [],
  );
  return {
    claimed,
    suspects,
    ...(known === undefined ? {} : { foreign }),
    ...(rest.length === 0 ? {} : { rest: rest.map(({ run }) => refOf(run)) }),
  };
}

function askedRuns(state: State, claims: readonly Claim[]): Asked[] {
  const asked = new Map<StoredRun, Asked>();
  for (const { tenant, runId, after = 0 } of claims) {
    const run = findRun(state, tenant, runId);
    if (run === undefined) continue;
    const known = asked.get(run);
    if (known === undefined) asked.set(run, { run, partial: after > 0 });
    else known.partial &&= after > 0;
  }
  return [...asked.values()];
}

function claim({ now, sizes }: State, { run, partial }: Asked, leaseMs: number): ClaimedRun {
  const { row, journal } = run;
  const isTooLarge = row.journalBytes > sizes.claimBytes || journal.length > sizes.pageEntries;
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
    partial: partial || isTooLarge,
    journal: partial ? lastOf(journal) : isTooLarge ? [] : entriesOf(journal, 0),
    timers: valuesOf(run.timers, (timer) => timer).sort((a, b) => a.dueAt - b.dueAt),
    waits: valuesOf(run.waits, ({ wait }) => wait),
    branches: valuesOf(run.branches, ({ key, leaseExpiresAt }) => ({ key, leased: leaseExpiresAt !== null })),
    inbox: inboxOf(run, sizes.inboxBytes),
  };
}

/** The last entry, without its values. */
function lastOf(journal: StoredRun["journal"]): Entry[] {
  const last = journal.at(-1)?.entry;
  return last === undefined ? [] : [{ ...last, output: null, failure: null }];
}

/**
 * At most so many. What the run waits for comes first, so that a flood of other signals hides nothing from it; and once
 * those before it bring enough, a delivery is only announced.
 */
function inboxOf({ inbox, waits }: StoredRun, bytes: number): Delivery[] {
  const all = valuesOf(inbox, ({ delivery }) => delivery);
  if (all.length === 0) return all;
  const awaited = new Set<string>();
  for (const { wait, name } of waits.values()) if (wait.kind === "signal") awaited.add(name);
  const rank = ({ kind, name }: Delivery) => (kind !== "signal" ? 0 : awaited.has(name) ? 1 : 2);
  let before = 0;
  return all
    .sort((a, b) => rank(a) - rank(b) || a.id - b.id)
    .slice(0, INBOX_LIMIT)
    .map((delivery) => {
      const isTooMuch = before >= bytes;
      before += weightOf(delivery);
      return isTooMuch
        ? { ...delivery, payload: null, failure: null, attempts: [], withheld: true }
        : delivery;
    })
    .sort((a, b) => a.id - b.id);
}

/** Most runs have none of most things: then nothing is walked. */
function valuesOf<From, To>(map: ReadonlyMap<unknown, From>, read: (value: From) => To): To[] {
  const values: To[] = [];
  if (map.size > 0) for (const value of map.values()) values.push(read(value));
  return values;
}
