/**
 * Runs made from other runs. What is taken over is what settled a step before the one that the new run begins at, and
 * still holds: failures that a revive forgave are left out, and so are attempts that settled nothing.
 */
import type { Entry, EntryKind } from "../../../src/engine/journal.ts";
import type { Fork, StartedRun } from "../../../src/engine/ports.ts";
import { IdempotencyConflict } from "../../../src/engine/refusals.ts";
import type { RunRef } from "../../../src/engine/run.ts";
import { newestOf } from "./channels.ts";
import {
  addHook,
  insertRun,
  joinGroup,
  newRow,
  refuseKnownRun,
  runOfKey,
  storedRun,
  useKey,
} from "./runs.ts";
import { toRun } from "./shapes.ts";
import { type EntryRow, findRun, type State, type StoredRun, type TenantTables, tenantOf } from "./tables.ts";
import { ConstraintViolated, isSameValue } from "./values.ts";

/** How long a hook lasts whose old one is not there any more. */
const HOOK_MS = 30 * 86_400_000;

/** Null when the old run's journal has no such step. Throws `IdempotencyConflict`. */
export function forkRun(state: State, { tenant: name, runId }: RunRef, fork: Fork): StartedRun | null {
  const tenant = tenantOf(state, name);
  const known = runOfKey(tenant, fork.run);
  if (known !== undefined) {
    refuseOther(known, runId, fork);
    return { run: toRun(known), created: false, wakeInMs: 0 };
  }
  const source = findRun(state, name, runId);
  const reused = fork.from === null ? [] : reusedOf(source?.journal ?? [], fork.from);
  if (reused === null) return null;
  refuseKnownRun(tenant, fork.run.id);
  const taken = fork.hooks.find(({ digest }) => state.tables.hooks.has(digest));
  if (taken !== undefined) throw new ConstraintViolated(`hooks_by_digest: ${taken.digest}`);
  const forked = insert(state, tenant, runId, fork, reused);
  tieTo(state, tenant, forked, reused);
  makeHooks(state, source, forked, fork);
  return { run: toRun(forked), created: true, wakeInMs: 0 };
}

function refuseOther({ row }: StoredRun, runId: string, { run }: Fork): void {
  if (row.id === run.id || (row.forkedFrom === runId && isSameValue(row.input, run.input))) return;
  throw new IdempotencyConflict(row.idempotencyKey ?? "", row.id);
}

function insert(
  { now }: State,
  tenant: TenantTables,
  forkedFrom: string,
  { run }: Fork,
  reused: readonly EntryRow[],
): StoredRun {
  const stepsDone = reused.filter(({ entry }) => isWork(entry) && entry.outcome === "completed").length;
  const journalBytes = reused.reduce((sum, { entry }) => sum + bytesInPostgres(entry), 0);
  const isDueNow = { wakeAt: now, wakeUpSentAt: now, startsAt: null, deadlineAt: null };
  const forked = storedRun(
    newRow(tenant.name, run, now, { ...isDueNow, forkedFrom, stepsDone, journalBytes }),
  );
  for (const [i, row] of reused.entries()) {
    const entry = { ...row.entry, seq: i + 1 };
    forked.journal.push({ ...row, entry, turn: 0 });
    if (entry.key !== null) useKey(forked.keys, entry.key, entry.attempt, entry.outcome === "completed");
  }
  insertRun(tenant, forked);
  return forked;
}

/** As text of jsonb, which has a space behind each comma and colon. */
function bytesInPostgres({ output, failure }: Entry): number {
  const values = output === null ? [] : [output.json, ...(output.meta === null ? [] : [output.meta])];
  const parts = failure === null ? values : [...values, failure];
  const texts = parts.map((part) =>
    JSON.stringify(part, null, 1)
      .replace(/\n */g, " ")
      .replace(/(?<=[[{]) | (?=[\]}])/g, ""),
  );
  return texts.reduce((sum, text) => sum + Buffer.byteLength(text), 0);
}

function isWork({ kind }: Entry): boolean {
  return kind === "step" || kind === "transaction";
}

/** Null when there is no such step. */
function reusedOf(journal: readonly EntryRow[], from: string): EntryRow[] | null {
  const begin = journal.find(({ entry }) => entry.kind !== "compensation" && isOf(entry.key, from));
  if (begin === undefined) return null;
  const end = Math.min(begin.entry.seq, firstUndone(journal));
  const before = journal.filter(({ entry }) => entry.seq < end);
  const holds = before.filter(({ entry }, i) => !isForgiven(entry, before[i + 1]?.entry));
  const settled = new Set(holds.flatMap(({ entry }) => (isSettled(entry) ? [entry.key] : [])));
  return holds.filter(({ entry }) => entry.key !== null && settled.has(entry.key));
}

/** A map is meant by its name, too. */
function isOf(key: string | null, from: string): boolean {
  if (key === null || key === from) return key === from;
  return key.startsWith(`${from}[`) && /^\[\d+\]$/.test(key.slice(from.length));
}

/** What was undone is not there to go on from: the new run begins before it, and so before every compensation. */
function firstUndone(journal: readonly EntryRow[]): number {
  const undone = new Set(journal.flatMap(({ entry }) => (entry.kind === "compensation" ? [entry.key] : [])));
  const first = journal.find(
    ({ entry }) => entry.kind !== "compensation" && undone.has(`${entry.key}#compensation`),
  );
  return first?.entry.seq ?? Number.POSITIVE_INFINITY;
}

function isForgiven({ key }: Entry, next: Entry | undefined): boolean {
  return next?.outcome === "revived" && key !== null && next.failure?.step === key;
}

function isSettled({ outcome }: Entry): boolean {
  return outcome === "completed" || outcome === "timed_out" || outcome === "failed";
}

const TIES: ReadonlyMap<EntryKind, { readonly to: "group" | "channel"; readonly made: boolean }> = new Map([
  ["join", { to: "group", made: true }],
  ["leave", { to: "group", made: false }],
  ["subscribe", { to: "channel", made: true }],
  ["unsubscribe", { to: "channel", made: false }],
]);

/** Of joins and leaves of one name, the last counts; so too of subscriptions. */
function tieTo(state: State, tenant: TenantTables, forked: StoredRun, reused: readonly EntryRow[]): void {
  const last = { group: new Map<string, boolean>(), channel: new Map<string, boolean>() };
  for (const { entry } of reused) {
    const tie = TIES.get(entry.kind);
    if (tie === undefined || entry.outcome !== "completed") continue;
    const name = (entry.key ?? "").slice(entry.kind.length + 1).replace(/#\d+$/, "");
    last[tie.to].set(name, tie.made);
  }
  for (const [name, made] of last.group) if (made) joinGroup(tenant, forked, name, state.now);
  for (const [name, made] of last.channel) {
    const channel = made ? tenant.channels.get(name) : undefined;
    if (channel === undefined) continue;
    const cursor = channel.mode === "broadcast" ? newestOf(channel) : 0;
    channel.subscriptions.set(forked.row.id, { cursor, subscribedAt: state.now });
    forked.channels.add(name);
  }
}

/** Each lasts as long as the old one did. */
function makeHooks(state: State, source: StoredRun | undefined, forked: StoredRun, { hooks }: Fork): void {
  for (const { entry, recordedAt } of forked.journal) {
    if (entry.kind !== "hook" || entry.outcome !== "completed" || entry.key === null) continue;
    const digest = hooks.find(({ key }) => key === entry.key)?.digest;
    if (digest === undefined) continue;
    const old = source?.hooks.get(entry.key);
    const span = old === undefined ? HOOK_MS : old.expiresAt - recordedAt;
    addHook(state, forked, entry.key, digest, state.now + span);
  }
}
