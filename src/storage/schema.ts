/** The tables as Drizzle sees them. `migrations/` makes them; a test holds the two against each other. */
import {
  bigint,
  boolean,
  doublePrecision,
  integer,
  jsonb,
  pgSchema,
  primaryKey,
  text,
  timestamp,
} from "drizzle-orm/pg-core";
import type { Bulk, BulkFailure, BulkSource, BulkVerb } from "../engine/bulk.ts";
import type { Json } from "../engine/codec.ts";
import type { DeliveryKind, DeliveryOutcome, FailedAttempt } from "../engine/delivery.ts";
import type { SendStatus } from "../engine/event.ts";
import type { Failure } from "../engine/failure.ts";
import type { ActionVerb } from "../engine/history.ts";
import type { EntryKind, EntryOutcome, Wait } from "../engine/journal.ts";
import type { Phase, RunStatus, Verdict } from "../engine/run.ts";
import type { SweepOutcome, Phase as TurnPhase } from "../engine/timings.ts";
import type { ChannelMode } from "../engine/workflow.ts";

export const pawl = pgSchema("pawl");

const instant = (name: string) => timestamp(name, { withTimezone: true });

export const runs = pawl.table(
  "runs",
  {
    tenant: text("tenant").notNull(),
    id: text("id").notNull(),
    workflow: text("workflow").notNull(),
    version: integer("version").notNull(),
    status: text("status").$type<RunStatus>().notNull(),
    currentStep: text("current_step"),
    stepsDone: integer("steps_done").notNull().default(0),
    turn: integer("turn").notNull().default(0),
    lostTurns: integer("lost_turns").notNull().default(0),
    deliveries: integer("deliveries").notNull().default(0),
    wakeAt: instant("wake_at"),
    wakeUpSentAt: instant("wake_up_sent_at"),
    leaseExpiresAt: instant("lease_expires_at"),
    deadlineAt: instant("deadline_at"),
    createdAt: instant("created_at").notNull(),
    startedAt: instant("started_at"),
    finishedAt: instant("finished_at"),
    discardedAt: instant("discarded_at"),
    failure: jsonb("failure").$type<Failure>(),
    tags: text("tags").array().notNull(),
    idempotencyKey: text("idempotency_key"),
    input: jsonb("input").$type<Json>().notNull(),
    inputMeta: jsonb("input_meta").$type<Json>(),
    output: jsonb("output").$type<Json>(),
    outputMeta: jsonb("output_meta").$type<Json>(),
    phase: text("phase").$type<Phase>().notNull().default("forward"),
    verdict: jsonb("verdict").$type<Verdict>(),
    failedCompensations: integer("failed_compensations").notNull().default(0),
    journalBytes: integer("journal_bytes").notNull().default(0),
    startsAt: instant("starts_at"),
    pausedAt: instant("paused_at"),
    parentId: text("parent_id"),
    parentKey: text("parent_key"),
    continuedFrom: text("continued_from"),
    continuedTo: text("continued_to"),
    forkedFrom: text("forked_from"),
    deployment: text("deployment"),
    turnBegunAt: instant("turn_begun_at"),
  },
  (table) => [primaryKey({ columns: [table.tenant, table.id] })],
);

export const runTags = pawl.table(
  "run_tags",
  { tenant: text("tenant").notNull(), tag: text("tag").notNull(), runId: text("run_id").notNull() },
  (table) => [primaryKey({ columns: [table.tenant, table.tag, table.runId] })],
);

export const journal = pawl.table(
  "journal",
  {
    tenant: text("tenant").notNull(),
    runId: text("run_id").notNull(),
    seq: integer("seq").notNull(),
    kind: text("kind").$type<EntryKind>().notNull(),
    key: text("key"),
    outcome: text("outcome").$type<EntryOutcome>().notNull(),
    attempt: integer("attempt").notNull(),
    turn: integer("turn").notNull(),
    startedAt: instant("started_at").notNull(),
    recordedAt: instant("recorded_at").notNull(),
    retryAt: instant("retry_at"),
    failure: jsonb("failure").$type<Failure>(),
    output: jsonb("output").$type<Json>(),
    outputMeta: jsonb("output_meta").$type<Json>(),
    queuedAt: instant("queued_at"),
  },
  (table) => [primaryKey({ columns: [table.tenant, table.runId, table.seq] })],
);

export const timers = pawl.table(
  "timers",
  {
    tenant: text("tenant").notNull(),
    runId: text("run_id").notNull(),
    key: text("key").notNull(),
    begunAt: instant("begun_at").notNull(),
    dueAt: instant("due_at").notNull(),
    turn: integer("turn").notNull(),
  },
  (table) => [primaryKey({ columns: [table.tenant, table.runId, table.key] })],
);

export const waits = pawl.table(
  "waits",
  {
    tenant: text("tenant").notNull(),
    runId: text("run_id").notNull(),
    key: text("key").notNull(),
    kind: text("kind").$type<Wait["kind"]>().notNull(),
    name: text("name").notNull(),
    begunAt: instant("begun_at").notNull(),
    dueAt: instant("due_at"),
    turn: integer("turn").notNull(),
  },
  (table) => [primaryKey({ columns: [table.tenant, table.runId, table.key] })],
);

export const deliveries = pawl.table(
  "deliveries",
  {
    tenant: text("tenant").notNull(),
    runId: text("run_id").notNull(),
    id: bigint("id", { mode: "number" }).generatedAlwaysAsIdentity(),
    kind: text("kind").$type<DeliveryKind>().notNull(),
    name: text("name").notNull(),
    outcome: text("outcome").$type<DeliveryOutcome>().notNull(),
    attempt: integer("attempt").notNull().default(1),
    attempts: jsonb("attempts").$type<readonly FailedAttempt[]>().notNull().default([]),
    tookMs: doublePrecision("took_ms").notNull().default(0),
    payload: jsonb("payload").$type<Json>(),
    payloadMeta: jsonb("payload_meta").$type<Json>(),
    failure: jsonb("failure").$type<Failure>(),
    dedupeId: text("dedupe_id"),
    messageId: bigint("message_id", { mode: "number" }),
    arrivedAt: instant("arrived_at").notNull(),
    consumedBy: text("consumed_by"),
    queuedAt: instant("queued_at"),
  },
  (table) => [primaryKey({ columns: [table.tenant, table.runId, table.id] })],
);

export const branches = pawl.table(
  "branches",
  {
    tenant: text("tenant").notNull(),
    runId: text("run_id").notNull(),
    key: text("key").notNull(),
    askedAt: integer("asked_at").notNull(),
    attempt: integer("attempt").notNull(),
    spent: integer("spent").notNull(),
    attempts: jsonb("attempts").$type<readonly FailedAttempt[]>().notNull().default([]),
    turn: integer("turn").notNull().default(0),
    lostTurns: integer("lost_turns").notNull().default(0),
    started: boolean("started").notNull().default(false),
    wakeAt: instant("wake_at"),
    wakeUpSentAt: instant("wake_up_sent_at"),
    leaseExpiresAt: instant("lease_expires_at"),
    begunAt: instant("begun_at").notNull(),
    turnBegunAt: instant("turn_begun_at"),
  },
  (table) => [primaryKey({ columns: [table.tenant, table.runId, table.key] })],
);

export const channels = pawl.table(
  "channels",
  {
    tenant: text("tenant").notNull(),
    name: text("name").notNull(),
    mode: text("mode").$type<ChannelMode>(),
  },
  (table) => [primaryKey({ columns: [table.tenant, table.name] })],
);

export const subscriptions = pawl.table(
  "subscriptions",
  {
    tenant: text("tenant").notNull(),
    channel: text("channel").notNull(),
    runId: text("run_id").notNull(),
    cursor: bigint("cursor", { mode: "number" }).notNull(),
    subscribedAt: instant("subscribed_at").notNull(),
  },
  (table) => [primaryKey({ columns: [table.tenant, table.channel, table.runId] })],
);

export const messages = pawl.table(
  "messages",
  {
    tenant: text("tenant").notNull(),
    channel: text("channel").notNull(),
    id: bigint("id", { mode: "number" }).generatedAlwaysAsIdentity(),
    dedupeId: text("dedupe_id").notNull(),
    payload: jsonb("payload").$type<Json>().notNull(),
    payloadMeta: jsonb("payload_meta").$type<Json>(),
    toRun: text("to_run"),
    publishedAt: instant("published_at").notNull(),
    claimedBy: text("claimed_by"),
  },
  (table) => [primaryKey({ columns: [table.tenant, table.channel, table.id] })],
);

export const runGroups = pawl.table(
  "run_groups",
  {
    tenant: text("tenant").notNull(),
    name: text("name").notNull(),
    runId: text("run_id").notNull(),
    joinedAt: instant("joined_at").notNull(),
  },
  (table) => [primaryKey({ columns: [table.tenant, table.name, table.runId] })],
);

export const hooks = pawl.table(
  "hooks",
  {
    tenant: text("tenant").notNull(),
    runId: text("run_id").notNull(),
    key: text("key").notNull(),
    digest: text("digest").notNull(),
    expiresAt: instant("expires_at").notNull(),
    usedAt: instant("used_at"),
  },
  (table) => [primaryKey({ columns: [table.tenant, table.runId, table.key] })],
);

export const runState = pawl.table(
  "run_state",
  {
    tenant: text("tenant").notNull(),
    runId: text("run_id").notNull(),
    key: text("key").notNull(),
    value: jsonb("value").$type<Json>().notNull(),
    updatedAt: instant("updated_at").notNull(),
  },
  (table) => [primaryKey({ columns: [table.tenant, table.runId, table.key] })],
);

export const mutations = pawl.table(
  "mutations",
  {
    tenant: text("tenant").notNull(),
    runId: text("run_id").notNull(),
    mutationKey: text("mutation_key").notNull(),
    request: jsonb("request").$type<Json>().notNull(),
    requestedAt: instant("requested_at").notNull(),
  },
  (table) => [primaryKey({ columns: [table.tenant, table.runId, table.mutationKey] })],
);

export const outbox = pawl.table(
  "outbox",
  {
    tenant: text("tenant").notNull(),
    id: text("id").notNull(),
    seq: bigint("seq", { mode: "number" }).generatedAlwaysAsIdentity(),
    runId: text("run_id").notNull(),
    workflow: text("workflow").notNull(),
    type: text("type").notNull(),
    subject: text("subject"),
    data: jsonb("data").$type<Json>(),
    dataMeta: jsonb("data_meta").$type<Json>(),
    emittedAt: instant("emitted_at").notNull(),
    routedAt: instant("routed_at"),
  },
  (table) => [primaryKey({ columns: [table.tenant, table.id] })],
);

export const outboxSends = pawl.table(
  "outbox_sends",
  {
    tenant: text("tenant").notNull(),
    runId: text("run_id").notNull(),
    sink: text("sink").notNull(),
    seq: bigint("seq", { mode: "number" }).notNull(),
    status: text("status").$type<SendStatus>().notNull().default("pending"),
    attempts: integer("attempts").notNull().default(0),
    nextAt: instant("next_at"),
    lastError: text("last_error"),
    sentAt: instant("sent_at"),
  },
  (table) => [primaryKey({ columns: [table.tenant, table.runId, table.sink, table.seq] })],
);

export const actions = pawl.table(
  "actions",
  {
    tenant: text("tenant").notNull(),
    id: bigint("id", { mode: "number" }).generatedAlwaysAsIdentity(),
    runId: text("run_id").notNull(),
    verb: text("verb").$type<ActionVerb>().notNull(),
    doneBy: text("done_by").notNull(),
    doneAt: instant("done_at").notNull(),
    newRunId: text("new_run_id"),
    bulkId: text("bulk_id"),
    note: text("note"),
  },
  (table) => [primaryKey({ columns: [table.tenant, table.id] })],
);

export const bulkActions = pawl.table(
  "bulk_actions",
  {
    tenant: text("tenant").notNull(),
    id: text("id").notNull(),
    verb: text("verb").$type<BulkVerb>().notNull(),
    source: text("source").$type<BulkSource["kind"]>().notNull(),
    asked: jsonb("asked").$type<Json>(),
    filter: jsonb("filter").$type<Json>(),
    ids: jsonb("ids").$type<readonly string[]>(),
    compensate: boolean("compensate").notNull().default(false),
    rate: integer("rate").notNull(),
    note: text("note"),
    doneBy: text("done_by").notNull(),
    idempotencyKey: text("idempotency_key"),
    status: text("status").$type<Bulk["status"]>().notNull().default("running"),
    matching: integer("matching").notNull(),
    matchingExact: boolean("matching_exact").notNull(),
    done: integer("done").notNull().default(0),
    skipped: integer("skipped").notNull().default(0),
    failed: integer("failed").notNull().default(0),
    failures: jsonb("failures").$type<readonly BulkFailure[]>().notNull().default([]),
    cursor: text("cursor"),
    turn: integer("turn").notNull().default(0),
    nextAt: instant("next_at"),
    createdAt: instant("created_at").notNull(),
    updatedAt: instant("updated_at").notNull(),
    finishedAt: instant("finished_at"),
  },
  (table) => [primaryKey({ columns: [table.tenant, table.id] })],
);

export const ticks = pawl.table("ticks", {
  job: text("job").primaryKey(),
  tickedAt: instant("ticked_at").notNull(),
  mark: text(),
  markedAt: instant("marked_at"),
  idleUntil: instant("idle_until"),
});

export const timings = pawl.table(
  "timings",
  {
    hour: instant("hour").notNull(),
    phase: text("phase").$type<TurnPhase>().notNull(),
    turns: bigint("turns", { mode: "number" }).notNull(),
    totalMs: doublePrecision("total_ms").notNull(),
    buckets: bigint("buckets", { mode: "number" }).array().notNull(),
  },
  (table) => [primaryKey({ columns: [table.hour, table.phase] })],
);

export const sweeps = pawl.table("sweeps", {
  name: text("name").primaryKey(),
  sweptAt: instant("swept_at").notNull(),
  ms: doublePrecision("ms").notNull(),
  outcome: text("outcome").$type<SweepOutcome>().notNull(),
});
