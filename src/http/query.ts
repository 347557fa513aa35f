import type { MiddlewareHandler } from "hono";
import * as z from "zod";
import { durationMs } from "../engine/duration.ts";
import type { RunFilter } from "../engine/reads.ts";
import { RUN_STATUSES, type RunStatus } from "../engine/run.ts";
import type { HttpEnv } from "./context.ts";
import { runCursor, seqCursor } from "./cursor.ts";
import { instant, problemsOf, text } from "./fields.ts";
import { InvalidRequest } from "./refusals.ts";

const PAGE_DEFAULT = 25;
const PAGE_LIMIT = 100;
const WAIT_LIMIT_MS = 60_000;
const INPUT_PREFIX = "input.";

const limit = z
  .string()
  .regex(/^\d{1,3}$/, `must be a whole number from 1 to ${PAGE_LIMIT}`)
  .transform(Number)
  .pipe(z.int().min(1).max(PAGE_LIMIT))
  .default(PAGE_DEFAULT);

/** What a run can be asked for by. */
const WAITABLE = ["person", "signal", "message", "child"] as const;

const PageQuery = z.strictObject({ limit, cursor: z.string().transform(runCursor).optional() });

const ListQuery = z.strictObject({
  workflow: text(1, 100).optional(),
  status: z
    .string()
    .transform((list) => list.split(","))
    .pipe(z.array(z.enum(RUN_STATUSES)))
    .optional(),
  tag: text(1, 100).optional(),
  createdAfter: instant.optional(),
  createdBefore: instant.optional(),
  parent: text(1, 100).optional(),
  waitingFor: z.enum(WAITABLE).optional(),
  limit,
  cursor: z.string().transform(runCursor).optional(),
});

const JournalQuery = z.strictObject({ limit, cursor: z.string().transform(seqCursor).optional() });

const ResultQuery = z.strictObject({
  wait: z
    .string()
    .max(100)
    .transform(durationMs)
    .refine((ms) => ms <= WAIT_LIMIT_MS, `must be at most ${WAIT_LIMIT_MS / 1_000} seconds`)
    .default(0),
});

const InputFilter = z.strictObject({
  path: z.array(text(1, 200)).min(1).max(10),
  value: text(0, 1_000),
});

/** What a list of runs may be asked for, as a typed client writes it. */
interface ListParameters {
  workflow?: string;
  /** One, several, or several with commas between. */
  status?: RunStatus | RunStatus[] | `${RunStatus},${string}`;
  tag?: string;
  createdAfter?: string;
  createdBefore?: string;
  /** The run that started it. */
  parent?: string;
  waitingFor?: (typeof WAITABLE)[number];
  limit?: string;
  cursor?: string;
  [input: `input.${string}`]: string;
}

/** A list's question, ready for `Reads`. */
interface ListQuestion {
  filter: RunFilter;
  limit: number;
  before: string | null;
}

type Query<In, Out> = MiddlewareHandler<HttpEnv, string, { in: { query: In }; out: { query: Out } }>;

/** For every list of runs. Unknown parameters are refused: a misspelt filter must not give everything. */
export const listQuery: Query<ListParameters, ListQuestion> = async (c, next) => {
  const [given, input] = splitInput(parametersOf(c.req.raw));
  const { status, limit, cursor, ...filter } = check(ListQuery, given);
  const question: ListQuestion = {
    filter: { ...filter, statuses: status, input },
    limit,
    before: cursor ?? null,
  };
  c.req.addValidatedData("query", question);
  await next();
};

/** For pages of runs that are not asked for by anything else. */
export const pageQuery: Query<
  { limit?: string; cursor?: string },
  { limit: number; before: string | null }
> = async (c, next) => {
  const { limit, cursor } = check(PageQuery, Object.fromEntries(parametersOf(c.req.raw)));
  c.req.addValidatedData("query", { limit, before: cursor ?? null });
  await next();
};

/** For the journal's pages. */
export const journalQuery: Query<
  { limit?: string; cursor?: string },
  { limit: number; after: number }
> = async (c, next) => {
  const { limit, cursor } = check(JournalQuery, Object.fromEntries(parametersOf(c.req.raw)));
  c.req.addValidatedData("query", { limit, after: cursor ?? 0 });
  await next();
};

/** For a result that may be waited for. */
export const resultQuery: Query<{ wait?: string }, { wait: number }> = async (c, next) => {
  c.req.addValidatedData("query", check(ResultQuery, Object.fromEntries(parametersOf(c.req.raw))));
  await next();
};

function check<Schema extends z.ZodType>(schema: Schema, given: unknown): z.output<Schema> {
  const parsed = schema.safeParse(given);
  if (!parsed.success) throw new InvalidRequest("query", problemsOf(parsed.error));
  return parsed.data;
}

/** Only `status` may be repeated: of two values for anything else, one would be ignored. */
function parametersOf(request: Request): Map<string, string> {
  const parameters = new Map<string, string>();
  for (const [name, value] of new URL(request.url).searchParams) {
    const before = parameters.get(name);
    if (before !== undefined && name !== "status")
      throw new InvalidRequest("query", [`${name}: is given twice`]);
    parameters.set(name, before === undefined ? value : `${before},${value}`);
  }
  return parameters;
}

/** `input.order.id=7` asks for the runs whose input has 7 at order → id. */
function splitInput(parameters: Map<string, string>): [object, RunFilter["input"]] {
  const asked = [...parameters].filter(([name]) => name.startsWith(INPUT_PREFIX));
  const [first, second] = asked;
  if (second !== undefined)
    throw new InvalidRequest("query", [`${second[0]}: only one input filter is possible`]);
  if (first === undefined) return [Object.fromEntries(parameters), undefined];
  const [name, value] = first;
  parameters.delete(name);
  const input = check(InputFilter, { path: name.slice(INPUT_PREFIX.length).split("."), value });
  return [Object.fromEntries(parameters), input];
}
