/** The tables as Drizzle sees them. `migrations/` makes them; a test holds the two against each other. */
import { integer, jsonb, pgSchema, primaryKey, text, timestamp } from "drizzle-orm/pg-core";
import type { Json } from "../engine/codec.ts";
import type { Failure } from "../engine/errors.ts";
import type { EntryKind, EntryOutcome } from "../engine/journal.ts";
import type { RunStatus } from "../engine/run.ts";

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

export const ticks = pawl.table("ticks", {
  job: text("job").primaryKey(),
  tickedAt: instant("ticked_at").notNull(),
});
