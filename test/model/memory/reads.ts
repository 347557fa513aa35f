/** The questions behind lists and pages. */
import type { Json } from "../../../src/engine/codec.ts";
import type { FailedAttempt } from "../../../src/engine/delivery.ts";
import type { Failure } from "../../../src/engine/failure.ts";
import type {
  Channel,
  GroupMember,
  JournalLine,
  OpenBranch,
  OpenWait,
  Reads,
  RunFilter,
  StateLine,
  UnderWay,
} from "../../../src/engine/reads.ts";
import { isFinal, type Run, type RunRef } from "../../../src/engine/run.ts";
import { findEvent, listEvents } from "./outbox.ts";
import { toRun, toRunDetail } from "./shapes.ts";
import {
  type ChannelRow,
  type EntryRow,
  findRun,
  type State,
  type StoredRun,
  type TenantTables,
} from "./tables.ts";
import { compareText, isLive } from "./values.ts";

export function createReads(state: State): Reads {
  const find = ({ tenant, runId }: RunRef) => findRun(state, tenant, runId);
  return {
    async run(ref) {
      const run = find(ref);
      return run === undefined ? null : toRunDetail(run);
    },
    runs: async (tenant, filter, limit, before) => listRuns(state, tenant, filter, limit, before, () => true),
    deadLetters: async (tenant, filter, limit, before) =>
      listRuns(state, tenant, filter, limit, before, isDeadLetter),
    async searchEnd(tenant, filter, before) {
      const rest = { ...filter, input: undefined };
      return listRuns(state, tenant, rest, 5_000, before, () => true)[4_999]?.runId ?? null;
    },
    async journal(ref, limit, after) {
      const rows = find(ref)?.journal.filter(({ entry }) => entry.seq > after);
      return rows?.slice(0, limit).map(toLine) ?? null;
    },
    async underWay(ref) {
      const run = find(ref);
      return run === undefined ? { waits: [], branches: [] } : underWayOf(run);
    },
    async state(ref, key) {
      const run = find(ref);
      return run === undefined ? null : stateOf(run, key);
    },
    async forkSource(ref) {
      const run = find(ref);
      return run === undefined ? null : { run: toRunDetail(run), hooks: hooksOf(run) };
    },
    events: async (tenant, filter, limit, before) => listEvents(state, tenant, filter, limit, before),
    event: async (tenant, id) => findEvent(state, tenant, id),
    channels: async (tenant, limit, after) => listChannels(state, tenant, limit, after),
    groupMembers: async (tenant, group, limit, after) => listMembers(state, tenant, group, limit, after),
    health: async () => ({
      now: state.now,
      lastTickAt: state.tables.tick?.tickedAt ?? null,
      idleUntil: state.tables.tick?.idleUntil ?? null,
    }),
  };
}

/** Newest first. Lists load no payloads, and a stack with its causes is one. */
function listRuns(
  { tables }: State,
  tenant: string,
  filter: RunFilter,
  limit: number,
  before: string | null,
  isMeant: (run: StoredRun) => boolean,
): Run[] {
  const all = [...(tables.tenants.get(tenant)?.runs.values() ?? [])];
  return all
    .filter((run) => (before === null || run.row.id < before) && isMeant(run) && matches(run, filter))
    .sort((a, b) => compareText(b.row.id, a.row.id))
    .slice(0, limit)
    .map((run) => withoutStack(toRun(run)));
}

function withoutStack(run: Run): Run {
  return run.failure === null ? run : { ...run, failure: short(run.failure) };
}

function short({ stack: _, cause: __, ...failure }: Failure): Failure {
  return failure;
}

function isDeadLetter({ row }: StoredRun): boolean {
  return (row.status === "failed" || row.status === "dead") && row.discardedAt === null;
}

function matches(run: StoredRun, filter: RunFilter): boolean {
  const { row } = run;
  const {
    workflow,
    statuses,
    tags = [],
    createdAfter,
    createdBefore,
    input,
    parent,
    waitingFor,
    newerThan,
    oldest,
  } = filter;
  return (
    (workflow === undefined || row.workflow === workflow) &&
    (statuses === undefined || statuses.includes(row.status)) &&
    tags.every((tag) => row.tags.includes(tag)) &&
    (newerThan === undefined || row.id > newerThan) &&
    (createdAfter === undefined || row.createdAt >= createdAfter) &&
    (createdBefore === undefined || row.createdAt < createdBefore) &&
    (parent === undefined || row.parentId === parent) &&
    (oldest === undefined || row.id >= oldest) &&
    (waitingFor === undefined || isWaitingFor(run, waitingFor)) &&
    (input === undefined || textAt(row.input.json, input.path) === input.value)
  );
}

/** Failed and dead runs keep what they waited for: they may be revived. */
function isWaitingFor({ row, waits, branches }: StoredRun, kind: string): boolean {
  if (kind === "time") return row.status === "waiting" && waits.size + branches.size === 0;
  if (kind === "besides-time") return row.status === "waiting" && waits.size + branches.size > 0;
  return !isFinal(row.status) && [...waits.values()].some(({ wait }) => wait.kind === kind);
}

/** A text, number or truth at the path, as text; null for anything else. */
function textAt(value: Json, path: readonly string[]): string | null {
  let inner: Json | undefined = value;
  for (const name of path) {
    if (typeof inner !== "object" || inner === null) return null;
    if (Array.isArray(inner)) inner = /^-?\d+$/.test(name) ? inner.at(Number(name)) : undefined;
    else inner = Object.hasOwn(inner, name) ? (inner as Record<string, Json>)[name] : undefined;
  }
  return inner === undefined || inner === null || typeof inner === "object" ? null : String(inner);
}

function toLine({ entry, turn, startedAt, recordedAt }: EntryRow): JournalLine {
  return { ...entry, turn, startedAt, recordedAt };
}

function underWayOf(run: StoredRun): UnderWay {
  const waits = Array.from(run.waits.values(), ({ wait, name }): OpenWait => ({ ...wait, name }));
  const branches = [...run.branches.values()].sort(
    (a, b) => a.begunAt - b.begunAt || compareText(a.key, b.key),
  );
  return {
    waits: waits.sort((a, b) => a.begunAt - b.begunAt || compareText(a.key, b.key)),
    branches: branches.map(
      ({ key, attempt, leaseExpiresAt, wakeAt, attempts }): OpenBranch => ({
        key,
        attempt,
        leased: leaseExpiresAt !== null,
        wakeAt,
        failures: attempts.map((failed): FailedAttempt => ({ ...failed, failure: short(failed.failure) })),
      }),
    ),
  };
}

function stateOf({ state }: StoredRun, key: string | null): StateLine[] {
  const lines = Array.from(
    state,
    ([name, { value, updatedAt }]): StateLine => ({ key: name, value, updatedAt }),
  );
  return lines.filter((line) => key === null || line.key === key).sort((a, b) => compareText(a.key, b.key));
}

function hooksOf({ journal }: StoredRun): string[] {
  return journal.flatMap(({ entry: { kind, outcome, key } }) =>
    kind === "hook" && outcome === "completed" ? [String(key)] : [],
  );
}

/** Far more than anybody reads. */
const COUNT_LIMIT = 10_000;

function listChannels({ tables }: State, tenantName: string, limit: number, after: string): Channel[] {
  const tenant = tables.tenants.get(tenantName);
  if (tenant === undefined) return [];
  return [...tenant.channels.values()]
    .filter(({ name }) => name > after)
    .sort((a, b) => compareText(a.name, b.name))
    .slice(0, limit)
    .map((channel) => toChannel(tenant, channel));
}

function toChannel(
  { receivers }: TenantTables,
  { name, mode, subscriptions, messages }: ChannelRow,
): Channel {
  const live = [...(receivers.get(name) ?? [])].filter(({ row }) => isLive(row.status));
  const waits = live.flatMap((run) =>
    [...run.waits.values()].filter((one) => one.wait.kind === "message" && one.name === name),
  );
  const free = [...messages.values()].filter(({ claimedBy }) => claimedBy === null);
  const count = (all: number) => Math.min(all, COUNT_LIMIT);
  return {
    name,
    mode,
    subscribers: count(subscriptions.size),
    waiting: count(waits.length),
    messages: count(free.length),
  };
}

function listMembers(
  { tables }: State,
  tenantName: string,
  group: string,
  limit: number,
  after: string,
): GroupMember[] {
  const tenant = tables.tenants.get(tenantName);
  return [...(tenant?.groups.get(group) ?? [])]
    .filter(([runId]) => runId > after)
    .sort(([a], [b]) => compareText(a, b))
    .slice(0, limit)
    .flatMap(([runId, joinedAt]): GroupMember[] => {
      const row = tenant?.runs.get(runId)?.row;
      return row === undefined ? [] : [{ runId, workflow: row.workflow, status: row.status, joinedAt }];
    });
}
