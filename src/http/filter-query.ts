/** What runs can be asked for by, as the parameters of a query or of a body say it. */
import * as z from "zod";
import type { RunFilter } from "../engine/reads.ts";
import { RUN_STATUSES, type RunStatus } from "../engine/run.ts";
import { isUlid } from "./cursor.ts";
import { instant, problemsOf, text } from "./fields.ts";
import { InvalidRequest } from "./refusals.ts";

const INPUT_PREFIX = "input.";
const TAG_LIMIT = 20;

/** What a run can be asked for by. */
const WAITABLE = ["person", "signal", "message", "child", "mutation", "time", "besides-time"] as const;

/** The parameters of a filter as a typed client writes them. */
export interface FilterParameters {
  workflow?: string;
  /** One, several, or several with commas between. */
  status?: RunStatus | RunStatus[] | `${RunStatus},${string}`;
  /** All of them. */
  tag?: string | string[];
  createdAfter?: string;
  createdBefore?: string;
  /** The run that started it. */
  parent?: string;
  waitingFor?: (typeof WAITABLE)[number];
  /** Only runs after this one. */
  newerThan?: string;
  [input: `input.${string}`]: string;
}

/** Dead letters can also be asked for by what they have in common. */
export interface DeadLetterParameters extends FilterParameters {
  fingerprint?: string;
}

const runId = z.string().refine(isUlid, "must be the id of a run");

const fingerprint = z.string().regex(/^[0-9a-f]{16}$/, "must be the fingerprint of a group");

const Filter = z.strictObject({
  workflow: text(1, 100).optional(),
  status: z
    .string()
    .transform((list) => list.split(","))
    .pipe(z.array(z.enum(RUN_STATUSES)))
    .optional(),
  tag: z.array(text(1, 100)).max(TAG_LIMIT).optional(),
  createdAfter: instant.optional(),
  createdBefore: instant.optional(),
  parent: text(1, 100).optional(),
  waitingFor: z.enum(WAITABLE).optional(),
  newerThan: runId.optional(),
});

const DeadLetterFilter = Filter.extend({ fingerprint: fingerprint.optional() });

const InputFilter = z.strictObject({
  path: z.array(text(1, 200)).min(1).max(10),
  value: text(0, 1_000),
});

/** Where a filter stands, for whoever is told what is wrong with it. */
type Place = "query" | "body";

/** Parameters by name. In a Map, where `__proto__` is a name like any other. */
export type Parameters = Map<string, string | string[]>;

/** Only `status` and `tag` may be repeated: of two values for anything else, one would be ignored. */
export function collectParameters(
  pairs: Iterable<readonly [string, string]>,
  where: Place = "query",
): Parameters {
  const parameters: Parameters = new Map();
  for (const [name, value] of pairs) {
    const before = parameters.get(name);
    if (name === "tag") parameters.set(name, [...(before ?? []), value]);
    else if (before === undefined) parameters.set(name, value);
    else if (name === "status") parameters.set(name, `${before},${value}`);
    else throw new InvalidRequest(where, [`${name}: is given twice`]);
  }
  return parameters;
}

/** The parameters of a request's URL. */
export function parametersOf(request: Request): Parameters {
  return collectParameters(new URL(request.url).searchParams);
}

/** Unknown parameters are refused: a misspelt filter must not give everything. */
export function toFilter(
  parameters: Parameters,
  of: "runs" | "deadLetters" = "runs",
  where: Place = "query",
): RunFilter {
  const [given, input] = splitInput(parameters, where);
  const { status, tag, ...filter } = checkQuery(of === "runs" ? Filter : DeadLetterFilter, given, where);
  return { ...filter, statuses: status, tags: tag, input };
}

/** Throws `InvalidRequest`, with the path of each field that is wrong. */
export function checkQuery<Schema extends z.ZodType>(
  schema: Schema,
  given: unknown,
  where: Place = "query",
): z.output<Schema> {
  const parsed = schema.safeParse(given);
  if (!parsed.success) throw new InvalidRequest(where, problemsOf(parsed.error));
  return parsed.data;
}

/** `input.order.id=7` asks for the runs whose input has 7 at order → id. */
function splitInput(parameters: Parameters, where: Place): [object, RunFilter["input"]] {
  const [first, second] = [...parameters].filter(([name]) => name.startsWith(INPUT_PREFIX));
  if (second !== undefined)
    throw new InvalidRequest(where, [`${second[0]}: only one input filter is possible`]);
  if (first === undefined) return [Object.fromEntries(parameters), undefined];
  const [name, value] = first;
  const others = [...parameters].filter(([other]) => other !== name);
  const path = name.slice(INPUT_PREFIX.length).split(".");
  return [Object.fromEntries(others), checkQuery(InputFilter, { path, value }, where)];
}
