/**
 * What the list of runs is narrowed to. The URL is its only place: every view can be shared, reloaded and gone back to.
 * Its parameters are those of `GET /api/runs`, besides `within`, a span that ends now.
 */
import { STATUSES, type Status } from "./status.ts";

export const SPANS = { "1h": 3_600_000, "24h": 86_400_000, "7d": 604_800_000, "30d": 2_592_000_000 } as const;
export type SpanName = keyof typeof SPANS;

const WAITING_FOR = ["time", "besides-time", "signal", "message", "child", "person", "mutation"] as const;

export interface RunFilter {
  readonly workflow: string | null;
  readonly statuses: readonly Status[];
  readonly tags: readonly string[];
  readonly within: SpanName | null;
  readonly createdAfter: string | null;
  readonly createdBefore: string | null;
  readonly input: { readonly path: string; readonly value: string } | null;
  readonly waitingFor: string | null;
  readonly parent: string | null;
  readonly fingerprint: string | null;
}

export const EMPTY_FILTER: RunFilter = {
  workflow: null,
  statuses: [],
  tags: [],
  within: null,
  createdAfter: null,
  createdBefore: null,
  input: null,
  waitingFor: null,
  parent: null,
  fingerprint: null,
};

/** The runs that were created in that span, in milliseconds since 1970: whole seconds, as a URL shows them. */
export function runsBetween(from: number, to: number): RunFilter {
  const iso = (ms: number) => new Date(ms).toISOString();
  const [first, last] = [Math.floor(from / 1_000) * 1_000, Math.ceil(to / 1_000) * 1_000];
  return { ...EMPTY_FILTER, createdAfter: iso(first), createdBefore: iso(last) };
}

/** Of what a URL says; what makes no sense there is as if it were not. */
export function readFilter(search: URLSearchParams): RunFilter {
  const text = (name: string) => search.get(name)?.trim() || null;
  const within = text("within");
  const waitingFor = text("waitingFor");
  const input = [...search].find(([name]) => name.startsWith("input.") && name.length > "input.".length);
  return {
    workflow: text("workflow"),
    statuses: (text("status")?.split(",") ?? []).filter(isStatus),
    tags: search.getAll("tag").filter((tag) => tag !== ""),
    within: within !== null && within in SPANS ? (within as SpanName) : null,
    createdAfter: instant(text("createdAfter")),
    createdBefore: instant(text("createdBefore")),
    input: input === undefined ? null : { path: input[0].slice("input.".length), value: input[1] },
    waitingFor: WAITING_FOR.some((kind) => kind === waitingFor) ? waitingFor : null,
    parent: text("parent"),
    fingerprint: text("fingerprint"),
  };
}

/** The filter as a URL's parameters. */
export function writeFilter(filter: RunFilter): URLSearchParams {
  const search = new URLSearchParams();
  const set = (name: string, value: string | null) => value !== null && search.set(name, value);
  set("workflow", filter.workflow);
  if (filter.statuses.length > 0) search.set("status", filter.statuses.join(","));
  for (const tag of filter.tags) search.append("tag", tag);
  set("within", filter.within);
  set("createdAfter", filter.createdAfter);
  set("createdBefore", filter.createdBefore);
  if (filter.input !== null) search.set(`input.${filter.input.path}`, filter.input.value);
  set("waitingFor", filter.waitingFor);
  set("parent", filter.parent);
  set("fingerprint", filter.fingerprint);
  return search;
}

/** The filter as the API takes it. The span begins at a whole minute, so that asking again asks the same. */
export function apiQuery(filter: RunFilter, now: number): Record<string, string | string[]> {
  const { within, ...rest } = filter;
  const search = writeFilter({ ...rest, within: null });
  if (within !== null) {
    const from = Math.floor((now - SPANS[within]) / 60_000) * 60_000;
    search.set("createdAfter", new Date(from).toISOString());
  }
  const query: Record<string, string | string[]> = {};
  for (const name of new Set(search.keys())) {
    const values = search.getAll(name);
    query[name] = name === "tag" ? values : (values[0] ?? "");
  }
  return query;
}

/** True when nothing is left out. */
export function isEverything(filter: RunFilter): boolean {
  return writeFilter(filter).size === 0;
}

/** 26 characters of Crockford's alphabet, as runs' ids are. */
const RUN_ID = /^[0-7][0-9A-HJKMNP-TV-Z]{25}$/i;

/** The id that somebody pasted, also within a URL or with spaces around it; null for other text. */
export function pastedId(text: string): string | null {
  const last = text
    .trim()
    .split(/[/?#\s]/)
    .filter(Boolean)
    .find((part) => RUN_ID.test(part));
  return last?.toUpperCase() ?? null;
}

/**
 * Reads `workflow:fulfil-order status:failed tag:eu input.customer.id:42`; values with spaces stand in quotes. What is no
 * qualifier is a workflow's name. Throws a sentence for a qualifier that there is not.
 */
export function applyQualifiers(filter: RunFilter, text: string): RunFilter {
  return (text.match(/(?:[^\s"]|"[^"]*")+/g) ?? []).reduce(applyQualifier, filter);
}

function applyQualifier(filter: RunFilter, word: string): RunFilter {
  const colon = word.indexOf(":");
  const name = word.slice(0, colon);
  const value = word.slice(colon + 1).replaceAll('"', "");
  if (colon < 1) return { ...filter, workflow: word.replaceAll('"', "") };
  if (name === "workflow") return { ...filter, workflow: value };
  if (name === "tag") return { ...filter, tags: [...new Set([...filter.tags, value])] };
  if (name === "parent") return { ...filter, parent: value };
  if (name.startsWith("input.")) return { ...filter, input: { path: name.slice("input.".length), value } };
  if (name === "status") return { ...filter, statuses: value.split(",").map(statusOf) };
  throw new Error(`There is no filter "${name}". Try workflow, status, tag, parent or input.some.path.`);
}

function statusOf(name: string): Status {
  if (isStatus(name)) return name;
  throw new Error(`There is no status "${name}". Try ${STATUSES.join(", ")}.`);
}

function isStatus(name: string): name is Status {
  return (STATUSES as readonly string[]).includes(name);
}

function instant(text: string | null): string | null {
  return text !== null && !Number.isNaN(Date.parse(text)) ? text : null;
}
