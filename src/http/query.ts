import type { MiddlewareHandler } from "hono";
import * as z from "zod";
import { durationMs } from "../engine/duration.ts";
import type { RunFilter } from "../engine/reads.ts";
import type { HttpEnv } from "./context.ts";
import { numberCursor, runCursor, seqCursor } from "./cursor.ts";
import {
  checkQuery,
  type DeadLetterParameters,
  type FilterParameters,
  parametersOf,
  toFilter,
} from "./filter-query.ts";

const PAGE_DEFAULT = 25;
const PAGE_LIMIT = 100;
/** Of what is small: entries without their payloads. */
const LONG_PAGE = 1_000;
const WAIT_LIMIT_MS = 60_000;

const limitOf = (most: number, fallback: number) =>
  z
    .string()
    .regex(/^\d{1,4}$/, `must be a whole number from 1 to ${most}`)
    .transform(Number)
    .pipe(z.int().min(1).max(most))
    .default(fallback);

/** How many to a page. */
export const limit = limitOf(PAGE_LIMIT, PAGE_DEFAULT);

const PageQuery = z.strictObject({ limit, cursor: z.string().transform(runCursor).optional() });

const JournalQuery = z.strictObject({ limit, cursor: z.string().transform(seqCursor).optional() });

const TimelineQuery = z.strictObject({
  limit: limitOf(LONG_PAGE, LONG_PAGE),
  cursor: z.string().transform(seqCursor).optional(),
  after: z
    .string()
    .regex(/^\d{1,9}$/, "must be the number of an entry")
    .transform(Number)
    .optional(),
});

const NumberedQuery = z.strictObject({ limit, cursor: z.string().transform(numberCursor).optional() });

const ResultQuery = z.strictObject({
  wait: z
    .string()
    .max(100)
    .transform(durationMs)
    .refine((ms) => ms <= WAIT_LIMIT_MS, `must be at most ${WAIT_LIMIT_MS / 1_000} seconds`)
    .default(0),
});

interface PageParameters {
  limit?: string;
  cursor?: string;
}

/** What a list of runs may be asked for, as a typed client writes it. */
type ListParameters = FilterParameters & PageParameters;

/** A list's question, ready for `Reads`. */
interface ListQuestion {
  filter: RunFilter;
  limit: number;
  before: string | null;
}

export type Query<In, Out> = MiddlewareHandler<HttpEnv, string, { in: { query: In }; out: { query: Out } }>;

/** For every list of runs. */
export const listQuery: Query<ListParameters, ListQuestion> = listOf("runs");

/** For the list of dead letters. */
export const deadLetterQuery: Query<DeadLetterParameters & PageParameters, ListQuestion> =
  listOf("deadLetters");

/** For what is asked of all runs that a filter fits. */
export const filterQuery: Query<FilterParameters, RunFilter> = filterOf("runs");

/** The same of dead letters. */
export const deadLetterFilterQuery: Query<DeadLetterParameters, RunFilter> = filterOf("deadLetters");

/** For pages of runs that are not asked for by anything else. */
export const pageQuery: Query<PageParameters, { limit: number; before: string | null }> = async (c, next) => {
  const { limit, cursor } = checkQuery(PageQuery, Object.fromEntries(parametersOf(c.req.raw)));
  c.req.addValidatedData("query", { limit, before: cursor ?? null });
  await next();
};

/** For pages of a journal. */
export const journalQuery: Query<PageParameters, { limit: number; after: number }> = async (c, next) => {
  const { limit, cursor } = checkQuery(JournalQuery, Object.fromEntries(parametersOf(c.req.raw)));
  c.req.addValidatedData("query", { limit, after: cursor ?? 0 });
  await next();
};

/** The same without payloads, which may be longer. It may begin after an entry that is known already. */
export const timelineQuery: Query<
  PageParameters & { after?: string },
  { limit: number; after: number }
> = async (c, next) => {
  const { limit, cursor, after } = checkQuery(TimelineQuery, Object.fromEntries(parametersOf(c.req.raw)));
  c.req.addValidatedData("query", { limit, after: cursor ?? after ?? 0 });
  await next();
};

/** For pages of what is numbered, newest first. */
export const numberedQuery: Query<PageParameters, { limit: number; before: number | null }> = async (
  c,
  next,
) => {
  const { limit, cursor } = checkQuery(NumberedQuery, Object.fromEntries(parametersOf(c.req.raw)));
  c.req.addValidatedData("query", { limit, before: cursor ?? null });
  await next();
};

/** For a result that may be waited for. */
export const resultQuery: Query<{ wait?: string }, { wait: number }> = async (c, next) => {
  c.req.addValidatedData("query", checkQuery(ResultQuery, Object.fromEntries(parametersOf(c.req.raw))));
  await next();
};

function listOf(of: "runs" | "deadLetters"): Query<ListParameters, ListQuestion> {
  return async (c, next) => {
    const parameters = parametersOf(c.req.raw);
    const page = checkQuery(PageQuery, take(parameters, "limit", "cursor"));
    const filter = toFilter(parameters, of);
    const question: ListQuestion = { filter, limit: page.limit, before: page.cursor ?? null };
    c.req.addValidatedData("query", question);
    await next();
  };
}

function filterOf(of: "runs" | "deadLetters"): Query<FilterParameters, RunFilter> {
  return async (c, next) => {
    c.req.addValidatedData("query", toFilter(parametersOf(c.req.raw), of));
    await next();
  };
}

/** Takes these out of the parameters. */
function take(parameters: Map<string, string | string[]>, ...names: readonly string[]): object {
  const taken = new Map<string, string | string[]>();
  for (const name of names) {
    const value = parameters.get(name);
    if (value !== undefined) taken.set(name, value);
    parameters.delete(name);
  }
  return Object.fromEntries(taken);
}
