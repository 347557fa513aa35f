/**
 * The rows of the in-memory store. They say what the tables of `migrations/` say; what belongs to a run hangs on the
 * run, so that a turn costs the same however many runs there are. Instants are epoch milliseconds.
 */
import type { Encoded, Json } from "../../../src/engine/codec.ts";
import type { Delivery, FailedAttempt } from "../../../src/engine/delivery.ts";
import type { SendStatus } from "../../../src/engine/event.ts";
import type { Failure } from "../../../src/engine/failure.ts";
import type { Entry, Timer, Wait } from "../../../src/engine/journal.ts";
import type { Phase, RunStatus, Verdict } from "../../../src/engine/run.ts";
import type { ChannelMode } from "../../../src/engine/workflow.ts";
import type { Sizes } from "../../../src/storage/sizes.ts";

/** A line of `pawl.runs`. */
export interface RunRow {
  readonly tenant: string;
  readonly id: string;
  readonly workflow: string;
  readonly version: number;
  status: RunStatus;
  currentStep: string | null;
  stepsDone: number;
  turn: number;
  lostTurns: number;
  deliveries: number;
  wakeAt: number | null;
  wakeUpSentAt: number | null;
  leaseExpiresAt: number | null;
  deadlineAt: number | null;
  readonly createdAt: number;
  startedAt: number | null;
  finishedAt: number | null;
  discardedAt: number | null;
  failure: Failure | null;
  readonly tags: readonly string[];
  readonly idempotencyKey: string | null;
  readonly input: Encoded;
  output: Encoded | null;
  phase: Phase;
  verdict: Verdict | null;
  failedCompensations: number;
  journalBytes: number;
  readonly startsAt: number | null;
  pausedAt: number | null;
  readonly parentId: string | null;
  readonly parentKey: string | null;
  readonly continuedFrom: string | null;
  continuedTo: string | null;
  readonly forkedFrom: string | null;
  readonly deployment: string | null;
}

/** A line of `pawl.journal`: the entry as turns see it, and what only people see. */
export interface EntryRow {
  readonly entry: Entry;
  readonly turn: number;
  readonly startedAt: number;
  readonly recordedAt: number;
}

export interface WaitRow {
  readonly wait: Wait;
  /** The signal, the channel, or the child's id. */
  name: string;
}

export interface DeliveryRow {
  readonly delivery: Delivery;
  /** The channel's message that it brings. */
  readonly messageId: number | null;
}

/** A signal that was taken: its id stays known. */
export interface TakenSignal {
  readonly delivery: Delivery;
  readonly consumedBy: string;
}

export interface BranchRow {
  readonly key: string;
  readonly askedAt: number;
  attempt: number;
  spent: number;
  attempts: readonly FailedAttempt[];
  turn: number;
  lostTurns: number;
  started: boolean;
  wakeAt: number | null;
  wakeUpSentAt: number | null;
  leaseExpiresAt: number | null;
  readonly begunAt: number;
}

export interface HookRow {
  readonly tenant: string;
  readonly runId: string;
  readonly key: string;
  readonly digest: string;
  readonly expiresAt: number;
  usedAt: number | null;
}

export interface StateRow {
  readonly value: Json;
  readonly updatedAt: number;
}

export interface MutationRow {
  readonly request: Json;
  readonly requestedAt: number;
}

/** What the journal has under one key: what its unique indexes know. */
export interface KeyUse {
  readonly attempts: number[];
  completed: boolean;
}

/** A run with everything that hangs on it. */
export interface StoredRun {
  readonly row: RunRow;
  /** In the order of `seq`. */
  readonly journal: EntryRow[];
  readonly keys: Map<string, KeyUse>;
  readonly timers: Map<string, Timer>;
  readonly waits: Map<string, WaitRow>;
  /** Deliveries that were not taken, by their ids, the oldest first. */
  readonly inbox: Map<number, DeliveryRow>;
  readonly taken: Map<number, TakenSignal>;
  /** What the senders of `inbox` and `taken` called them: see `nameOfDelivery`. */
  readonly senders: Set<string>;
  readonly branches: Map<string, BranchRow>;
  readonly hooks: Map<string, HookRow>;
  readonly state: Map<string, StateRow>;
  readonly mutations: Map<string, MutationRow>;
  /** Channels that it listens to, and groups that it is in. */
  readonly channels: Set<string>;
  readonly groups: Set<string>;
  /** Messages of competing and direct channels that it was brought and has not taken. */
  readonly brought: Map<number, MessageRow>;
}

export interface SubscriptionRow {
  cursor: number;
  readonly subscribedAt: number;
}

export interface MessageRow {
  readonly id: number;
  readonly dedupeId: string;
  payload: Encoded;
  toRun: string | null;
  readonly publishedAt: number;
  /** The run that was brought it; the empty text once that has taken it. */
  claimedBy: string | null;
}

export interface ChannelRow {
  readonly name: string;
  mode: ChannelMode | null;
  readonly subscriptions: Map<string, SubscriptionRow>;
  /** By their ids, the oldest first. */
  readonly messages: Map<number, MessageRow>;
  readonly byDedupeId: Map<string, MessageRow>;
}

export interface SendRow {
  status: SendStatus;
  attempts: number;
  nextAt: number | null;
  lastError: string | null;
  sentAt: number | null;
}

export interface EventRow {
  readonly tenant: string;
  readonly id: string;
  readonly seq: number;
  readonly runId: string;
  readonly workflow: string;
  readonly type: string;
  readonly subject: string | null;
  readonly data: Encoded | null;
  readonly emittedAt: number;
  routedAt: number | null;
  /** By their sinks. */
  readonly sends: Map<string, SendRow>;
}

export interface TenantTables {
  readonly name: string;
  readonly runs: Map<string, StoredRun>;
  /** By their workflow, then by their idempotency key. */
  readonly runsByKey: Map<string, Map<string, StoredRun>>;
  /** Those that somebody waits for, by the run that started them. */
  readonly children: Map<string, StoredRun[]>;
  readonly channels: Map<string, ChannelRow>;
  /** Runs with a wait for a message, by the channel. */
  readonly receivers: Map<string, Set<StoredRun>>;
  /** When each member joined, by the group. */
  readonly groups: Map<string, Map<string, number>>;
  readonly events: Map<string, EventRow>;
}

/** The one line of `pawl.ticks`. */
export interface TickRow {
  readonly tickedAt: number;
  readonly mark: string | null;
  readonly markedAt: number;
  idleUntil: number | null;
}

export interface Tables {
  /** Ids of runs whose rows sweeps cannot change. */
  readonly corrupt: Set<string>;
  readonly tenants: Map<string, TenantTables>;
  /** By their digests. */
  readonly hooks: Map<string, HookRow>;
  /** By `seq`, the oldest first. */
  readonly outbox: Map<number, EventRow>;
  tick: TickRow | null;
  lastDeliveryId: number;
  lastMessageId: number;
  lastEventSeq: number;
}

/** Everything that a verb works on. */
export interface State {
  readonly tables: Tables;
  now: number;
  readonly random: () => number;
  /** How much one answer may hold. */
  readonly sizes: Sizes;
}

export function makeTables(): Tables {
  return {
    corrupt: new Set(),
    tenants: new Map(),
    hooks: new Map(),
    outbox: new Map(),
    tick: null,
    lastDeliveryId: 0,
    lastMessageId: 0,
    lastEventSeq: 0,
  };
}

export function clearTables(tables: Tables): void {
  tables.corrupt.clear();
  tables.tenants.clear();
  tables.hooks.clear();
  tables.outbox.clear();
  tables.tick = null;
  tables.lastDeliveryId = 0;
  tables.lastMessageId = 0;
  tables.lastEventSeq = 0;
}

/** The tenant's tables, made when they are asked for the first time. */
export function tenantOf({ tables }: State, name: string): TenantTables {
  const known = tables.tenants.get(name);
  if (known !== undefined) return known;
  const made: TenantTables = {
    name,
    runs: new Map(),
    runsByKey: new Map(),
    children: new Map(),
    channels: new Map(),
    receivers: new Map(),
    groups: new Map(),
    events: new Map(),
  };
  tables.tenants.set(name, made);
  return made;
}

export function findRun({ tables }: State, tenant: string, runId: string): StoredRun | undefined {
  return tables.tenants.get(tenant)?.runs.get(runId);
}

/** Every run of every tenant. */
export function* allRuns({ tenants }: Tables): Generator<StoredRun> {
  for (const { runs } of tenants.values()) yield* runs.values();
}
