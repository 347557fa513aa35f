/** What lists of runs can be asked for by, as conditions on `r`. */
import { and, desc, eq, exists, gt, gte, inArray, isNull, lt, notExists, type SQL, sql } from "drizzle-orm";
import { alias, QueryBuilder } from "drizzle-orm/pg-core";
import { encodeTime, TIME_MAX } from "ulid";
import type { RunFilter } from "../engine/reads.ts";
import type { RunStatus } from "../engine/run.ts";
import { branches, runs, runTags, waits } from "./schema.ts";

export const r = alias(runs, "r");
const w = alias(waits, "w");
const b = alias(branches, "b");
export const build = new QueryBuilder();

export const FINGERPRINT = sql`pawl.fingerprint(${r.workflow}, ${r.failure})`;

/** What a person must look at. An index knows these by this very condition. */
export const IS_DEAD_LETTER = and(sql`${r.status} in ('failed', 'dead')`, isNull(r.discardedAt));

/** Of a waiting run: it sleeps, or backs off before a retry, and nothing else can move it. */
export const WAITS_FOR_TIME = and(
  notExists(
    build
      .select({ one: sql`1` })
      .from(w)
      .where(and(eq(w.tenant, r.tenant), eq(w.runId, r.id))),
  ),
  notExists(
    build
      .select({ one: sql`1` })
      .from(b)
      .where(and(eq(b.tenant, r.tenant), eq(b.runId, r.id))),
  ),
);

/** Of these the runs are found by an index over status and id, or are few. */
const FOUND_APART: ReadonlySet<RunStatus> = new Set([
  "ready",
  "running",
  "waiting",
  "paused",
  "cancelled",
  "failed",
  "dead",
]);

/** Several statuses are looked for one by one: no index has the runs of all of them in the order of their ids. */
export function withStatus(
  match: SQL | undefined,
  statuses: readonly RunStatus[] | undefined,
  limit: number,
): SQL | undefined {
  if (statuses === undefined) return undefined;
  const each = [...new Set(statuses)];
  if (each.length < 2 || !each.every((status) => FOUND_APART.has(status))) return inArray(r.status, each);
  const pages = each.map(
    (status) =>
      sql`(${build
        .select({ id: r.id })
        .from(r)
        .where(and(match, eq(r.status, status)))
        .orderBy(desc(r.id))
        .limit(limit)})`,
  );
  return sql`${r.id} in (${sql.join(pages, sql` union all `)})`;
}

export function matching(tenant: string, filter: RunFilter, before: string | null): SQL | undefined {
  const { workflow, tags = [], createdAfter, createdBefore, input, parent, newerThan, oldest } = filter;
  const at = (time: number) => sql`to_timestamp(${time}::float8 / 1000)`;
  return and(
    eq(r.tenant, tenant),
    before === null ? undefined : lt(r.id, before),
    workflow === undefined ? undefined : eq(r.workflow, workflow),
    ...tags.map(isTagged),
    createdAfter === undefined
      ? undefined
      : and(gte(r.createdAt, at(createdAfter)), gte(r.id, ulidTime(createdAfter - ID_SLACK_MS))),
    createdBefore === undefined
      ? undefined
      : and(lt(r.createdAt, at(createdBefore)), lt(r.id, ulidTime(createdBefore + ID_SLACK_MS))),
    parent === undefined ? undefined : eq(r.parentId, parent),
    newerThan === undefined ? undefined : gt(r.id, newerThan),
    oldest === undefined ? undefined : gte(r.id, oldest),
    isWaitingFor(filter.waitingFor),
    filter.fingerprint === undefined ? undefined : sql`${FINGERPRINT} = ${filter.fingerprint}`,
    input === undefined ? undefined : sql`${r.input} #>> ${textArray(input.path)}::text[] = ${input.value}`,
  );
}

function isTagged(tag: string): SQL {
  const tagged = build
    .select({ one: sql`1` })
    .from(runTags)
    .where(and(eq(runTags.tenant, r.tenant), eq(runTags.runId, r.id), eq(runTags.tag, tag)));
  return exists(tagged);
}

function isWaitingFor(kind: RunFilter["waitingFor"]): SQL | undefined {
  if (kind === undefined) return undefined;
  if (kind === "time") return and(eq(r.status, "waiting"), WAITS_FOR_TIME);
  if (kind === "besides-time") return and(eq(r.status, "waiting"), sql`not ${WAITS_FOR_TIME}`);
  const waiting = build
    .select({ one: sql`1` })
    .from(w)
    .where(and(eq(w.tenant, r.tenant), eq(w.runId, r.id), eq(w.kind, kind)));
  // Failed and dead runs keep what they waited for: they may be revived.
  return and(isNull(r.finishedAt), exists(waiting));
}

/**
 * How far the time in a run's id may be from `created_at`: a worker makes it, before the step that the same turn
 * performs, while the database says when the run was created. No invocation takes longer than 15 minutes.
 */
const ID_SLACK_MS = 3_600_000;

/** What every ULID of that millisecond begins with: text that sorts before all of them. */
export function ulidTime(ms: number): string {
  return encodeTime(Math.min(Math.max(0, ms), TIME_MAX));
}

/** An array literal, so that the path is one bound parameter. */
function textArray(items: readonly string[]): string {
  return `{${items.map((item) => `"${item.replace(/[\\"]/g, "\\$&")}"`).join(",")}}`;
}
