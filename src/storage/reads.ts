/** The questions behind lists and pages: keyset pages, and payloads only where one run is asked for. */
import { and, asc, desc, eq, gt, inArray, type SQL, sql } from "drizzle-orm";
import { alias } from "drizzle-orm/pg-core";
import type { Json } from "../engine/codec.ts";
import type { Failure } from "../engine/failure.ts";
import type { JournalLine, Reads } from "../engine/reads.ts";
import type { Run } from "../engine/run.ts";
import { bounded } from "./bounded.ts";
import { listChannels } from "./channels.ts";
import type { Db, Statement } from "./db.ts";
import { build, IS_DEAD_LETTER, matching, r, withStatus } from "./filter.ts";
import { listMembers } from "./groups.ts";
import { findEvent, listEvents } from "./outbox.ts";
import { type RunDetailRow, type RunRow, toRun, toRunDetail } from "./rows.ts";
import { readState } from "./run-state.ts";
import { journal } from "./schema.ts";
import { readTick } from "./ticks.ts";
import { readUnderWay } from "./under-way.ts";

const j = alias(journal, "j");

/** The inputs that one question looks into: some ten milliseconds, where they are small. */
const SEARCH_SHARE = 5_000;

const ms = (column: SQL | (typeof r)[keyof typeof r], name: string) =>
  sql<number>`pawl.ms(${column})`.as(name);

/** Of a run that compensates for a failure, that failure. */
const failureOf = sql`coalesce(${r.failure}, nullif(${r.verdict} -> 'failure', 'null'))`;

const LISTED = {
  tenant: r.tenant,
  id: r.id,
  workflow: r.workflow,
  version: r.version,
  status: r.status,
  turn: r.turn,
  lostTurns: r.lostTurns,
  tags: r.tags,
  idempotencyKey: r.idempotencyKey,
  currentStep: r.currentStep,
  stepsDone: r.stepsDone,
  // Lists load no payloads, and a stack with its causes is one.
  failure: sql<Failure | null>`${failureOf} - 'stack' - 'cause'`.as("failure"),
  phase: r.phase,
  failedCompensations: r.failedCompensations,
  parentId: r.parentId,
  parentKey: r.parentKey,
  continuedFrom: r.continuedFrom,
  continuedTo: r.continuedTo,
  forkedFrom: r.forkedFrom,
  deployment: r.deployment,
  pausedAt: ms(r.pausedAt, "paused_at"),
  createdAt: ms(r.createdAt, "created_at"),
  startedAt: ms(r.startedAt, "started_at"),
  wakeAt: ms(r.wakeAt, "wake_at"),
  leaseExpiresAt: ms(r.leaseExpiresAt, "lease_expires_at"),
  deadlineAt: ms(r.deadlineAt, "deadline_at"),
  finishedAt: ms(r.finishedAt, "finished_at"),
  discardedAt: ms(r.discardedAt, "discarded_at"),
};

const PAYLOADS = {
  failure: sql<Failure | null>`${failureOf}`.as("failure"),
  input: r.input,
  inputMeta: r.inputMeta,
  output: r.output,
  outputMeta: r.outputMeta,
  hasOutput: sql<boolean>`${r.output} is not null`.as("has_output"),
};

/** Lists never run into the timeout of the request to the database, which would look like an outage. */
const LIST_TIMEOUT_MS = 5_000;

export function createReads(db: Db): Reads {
  const ask = async (...queries: readonly { toSQL(): { sql: string; params: unknown[] } }[]) =>
    db.execute(queries.map(toStatement));

  const list = async (where: SQL | undefined, limit: number): Promise<Run[]> => {
    const page = build.select(LISTED).from(r).where(where).orderBy(desc(r.id)).limit(limit);
    const [rows = []] = await bounded(db, LIST_TIMEOUT_MS).execute([toStatement(page)]);
    return (rows as unknown as RunRow[]).map(toRun);
  };

  return {
    async run({ tenant, runId }) {
      const query = build.select({ ...LISTED, ...PAYLOADS }).from(r);
      const [rows = []] = await ask(query.where(and(eq(r.tenant, tenant), eq(r.id, runId))));
      const [row] = rows as unknown as RunDetailRow[];
      return row === undefined ? null : toRunDetail(row);
    },

    runs: (tenant, filter, limit, before) => {
      const match = matching(tenant, filter, before);
      return list(and(match, withStatus(match, filter.statuses, limit)), limit);
    },

    deadLetters: (tenant, filter, limit, before) => {
      const { statuses } = filter;
      const asked = statuses === undefined ? undefined : inArray(r.status, [...statuses]);
      return list(and(matching(tenant, filter, before), IS_DEAD_LETTER, asked), limit);
    },

    async searchEnd(tenant, filter, before) {
      const match = matching(tenant, { ...filter, input: undefined }, before);
      const next = build
        .select({ id: r.id })
        .from(r)
        .where(and(match, withStatus(match, filter.statuses, SEARCH_SHARE)))
        .orderBy(desc(r.id))
        .limit(SEARCH_SHARE)
        .as("next");
      const end = sql<string | null>`case when count(*) = ${SEARCH_SHARE} then min(${next.id}) end`.as("end");
      const [rows = []] = await ask(build.select({ end }).from(next));
      return (rows[0]?.end ?? null) as string | null;
    },

    async journal({ tenant, runId }, limit, after) {
      const run = build
        .select({ id: r.id })
        .from(r)
        .where(and(eq(r.tenant, tenant), eq(r.id, runId)));
      const page = build
        .select(LINE)
        .from(j)
        .where(and(eq(j.tenant, tenant), eq(j.runId, runId), gt(j.seq, after)))
        .orderBy(asc(j.seq))
        .limit(limit);
      const [found = [], lines = []] = await ask(run, page);
      return found.length === 0 ? null : (lines as unknown as LineRow[]).map(toLine);
    },

    underWay: (ref) => readUnderWay(db, ref),

    state: (ref, key) => readState(db, ref, key),

    async forkSource({ tenant, runId }) {
      const its = and(
        eq(j.tenant, tenant),
        eq(j.runId, runId),
        eq(j.kind, "hook"),
        eq(j.outcome, "completed"),
      );
      const [rows = [], hooks = []] = await ask(
        build
          .select({ ...LISTED, ...PAYLOADS })
          .from(r)
          .where(and(eq(r.tenant, tenant), eq(r.id, runId))),
        build.select({ key: j.key }).from(j).where(its),
      );
      const [row] = rows as unknown as RunDetailRow[];
      return row === undefined ? null : { run: toRunDetail(row), hooks: hooks.map(({ key }) => String(key)) };
    },

    events: (tenant, filter, limit, before) => listEvents(db, tenant, filter, limit, before),

    event: (tenant, id) => findEvent(db, tenant, id),

    channels: (tenant, limit, after) => listChannels(db, tenant, limit, after),

    groupMembers: (tenant, group, limit, after) => listMembers(db, tenant, group, limit, after),

    health: () => readTick(db),
  };
}

const LINE = {
  seq: j.seq,
  kind: j.kind,
  key: j.key,
  outcome: j.outcome,
  attempt: j.attempt,
  turn: j.turn,
  output: j.output,
  outputMeta: j.outputMeta,
  hasOutput: sql<boolean>`${j.output} is not null`.as("has_output"),
  failure: j.failure,
  startedAt: ms(sql`${j.startedAt}`, "started_at"),
  recordedAt: ms(sql`${j.recordedAt}`, "recorded_at"),
  retryAt: ms(sql`${j.retryAt}`, "retry_at"),
};

type LineRow = Pick<JournalLine, "seq" | "kind" | "key" | "outcome" | "attempt" | "turn" | "failure"> & {
  output: Json;
  output_meta: Json;
  has_output: boolean;
  started_at: number;
  recorded_at: number;
  retry_at: number | null;
};

function toLine(row: LineRow): JournalLine {
  return {
    seq: row.seq,
    kind: row.kind,
    key: row.key,
    outcome: row.outcome,
    attempt: row.attempt,
    turn: row.turn,
    output: row.has_output ? { json: row.output, meta: row.output_meta } : null,
    failure: row.failure,
    startedAt: row.started_at,
    recordedAt: row.recorded_at,
    retryAt: row.retry_at,
  };
}

function toStatement(query: { toSQL(): { sql: string; params: unknown[] } }): Statement {
  const { sql: text, params } = query.toSQL();
  return { text, params };
}
