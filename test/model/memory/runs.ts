/** How runs, and what hangs on them, come into the tables and leave them, with the indexes kept right. */
import type { NewRun } from "../../../src/engine/run.ts";
import type { KeyUse, RunRow, State, StoredRun, TenantTables, WaitRow } from "./tables.ts";
import { after, ConstraintViolated, earlier, sentAt } from "./values.ts";

/** A run as it is inserted: due when it is to begin, but never after its deadline. */
export function newRow(tenant: string, run: NewRun, now: number, fields: Partial<RunRow> = {}): RunRow {
  const { startAt, delayMs, deadlineInMs } = run;
  const deadlineAt = run.deadlineAt ?? (deadlineInMs === null ? null : after(now, deadlineInMs));
  const begin = Math.max(now, startAt ?? now, delayMs === null ? now : after(now, delayMs));
  const wakeAt = earlier(deadlineAt, begin) ?? now;
  return {
    tenant,
    id: run.id,
    workflow: run.workflow,
    version: run.version,
    status: "ready",
    currentStep: null,
    stepsDone: 0,
    turn: 0,
    lostTurns: 0,
    deliveries: 0,
    wakeAt,
    wakeUpSentAt: sentAt(wakeAt, now),
    leaseExpiresAt: null,
    deadlineAt,
    createdAt: now,
    startedAt: null,
    finishedAt: null,
    discardedAt: null,
    failure: null,
    tags: run.tags,
    idempotencyKey: run.idempotencyKey,
    input: run.input,
    output: null,
    phase: "forward",
    verdict: null,
    failedCompensations: 0,
    journalBytes: 0,
    startsAt: wakeAt > now ? wakeAt : null,
    pausedAt: null,
    parentId: null,
    parentKey: null,
    continuedFrom: null,
    continuedTo: null,
    forkedFrom: null,
    deployment: run.deployment,
    ...fields,
  };
}

export function storedRun(row: RunRow): StoredRun {
  return {
    row,
    journal: [],
    keys: new Map(),
    timers: new Map(),
    waits: new Map(),
    inbox: new Map(),
    taken: new Map(),
    senders: new Set(),
    branches: new Map(),
    hooks: new Map(),
    state: new Map(),
    mutations: new Map(),
    channels: new Set(),
    groups: new Set(),
    brought: new Map(),
  };
}

export function insertRun(tenant: TenantTables, run: StoredRun): void {
  const { id, workflow, idempotencyKey, parentId, parentKey } = run.row;
  tenant.runs.set(id, run);
  if (idempotencyKey !== null) {
    const keys = tenant.runsByKey.get(workflow);
    if (keys === undefined) tenant.runsByKey.set(workflow, new Map([[idempotencyKey, run]]));
    else keys.set(idempotencyKey, run);
  }
  if (parentId !== null && parentKey !== null) {
    const children = tenant.children.get(parentId);
    if (children === undefined) tenant.children.set(parentId, [run]);
    else children.push(run);
  }
}

/** The run that the key of a start has already. */
export function runOfKey(tenant: TenantTables, { workflow, idempotencyKey }: NewRun): StoredRun | undefined {
  if (idempotencyKey === null) return undefined;
  return tenant.runsByKey.get(workflow)?.get(idempotencyKey);
}

export function refuseKnownRun(tenant: TenantTables, id: string): void {
  if (tenant.runs.has(id)) throw new ConstraintViolated(`runs_pkey: ${id}`);
}

/** I1: notes the attempt under its key, in an index that may be a copy; throws where the table would refuse it. */
export function useKey(keys: Map<string, KeyUse>, key: string, attempt: number, completed: boolean): void {
  const use = keys.get(key);
  if (use === undefined) {
    keys.set(key, { attempts: [attempt], completed });
    return;
  }
  if (use.attempts.includes(attempt)) throw new ConstraintViolated(`once_per_attempt: ${key}, ${attempt}`);
  if (use.completed && completed) throw new ConstraintViolated(`journal_completed_once: ${key}`);
  use.attempts.push(attempt);
  use.completed ||= completed;
}

export function addWait(tenant: TenantTables, run: StoredRun, row: WaitRow): void {
  run.waits.set(row.wait.key, row);
  if (row.wait.kind !== "message") return;
  const receivers = tenant.receivers.get(row.name);
  if (receivers === undefined) tenant.receivers.set(row.name, new Set([run]));
  else receivers.add(run);
}

export function removeWait(tenant: TenantTables, run: StoredRun, key: string): void {
  const row = run.waits.get(key);
  if (row === undefined) return;
  run.waits.delete(key);
  if (row.wait.kind !== "message") return;
  for (const other of run.waits.values()) {
    if (other.wait.kind === "message" && other.name === row.name) return;
  }
  tenant.receivers.get(row.name)?.delete(run);
}

export function joinGroup(tenant: TenantTables, run: StoredRun, name: string, joinedAt: number): void {
  const members = tenant.groups.get(name);
  if (members === undefined) tenant.groups.set(name, new Map([[run.row.id, joinedAt]]));
  else if (!members.has(run.row.id)) members.set(run.row.id, joinedAt);
  run.groups.add(name);
}

export function leaveGroup(tenant: TenantTables, run: StoredRun, name: string): void {
  tenant.groups.get(name)?.delete(run.row.id);
  run.groups.delete(name);
}

export function leaveChannel(tenant: TenantTables, run: StoredRun, name: string): void {
  tenant.channels.get(name)?.subscriptions.delete(run.row.id);
  run.channels.delete(name);
}

/** Does nothing for a key or a digest that is there already. */
export function addHook(
  { tables }: State,
  run: StoredRun,
  key: string,
  digest: string,
  expiresAt: number,
): void {
  if (run.hooks.has(key) || tables.hooks.has(digest)) return;
  const row = { tenant: run.row.tenant, runId: run.row.id, key, digest, expiresAt, usedAt: null };
  run.hooks.set(key, row);
  tables.hooks.set(digest, row);
}
