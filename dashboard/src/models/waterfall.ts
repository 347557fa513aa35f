/** A run's journal as rows of a timeline: what was queued, what was executed, what was waited for, and when. */
import type { Line, Outcome, RunDetail } from "../api/types.ts";
import { isOver } from "./status.ts";

export type SpanKind = "queued" | "executing" | "waiting" | "backoff" | "planned";

/** From, to: milliseconds since 1970. */
export interface Span {
  readonly kind: SpanKind;
  readonly from: number;
  readonly to: number;
  readonly failed: boolean;
  /** It goes on: its end is now. */
  readonly live: boolean;
}

export type RowState =
  | "completed"
  | "failed"
  | "timed out"
  | "unknown"
  | "retrying"
  | "running"
  | "waiting"
  | "queued"
  | "revived";

export interface Row {
  readonly id: string;
  /** Null for what concerns the run as a whole. */
  readonly key: string | null;
  readonly name: string;
  readonly kind: string;
  readonly state: RowState;
  readonly spans: readonly Span[];
  readonly lines: readonly Line[];
  readonly attempts: number;
  readonly branch: boolean;
  readonly childId: string | null;
  readonly from: number;
  readonly to: number;
  /** The items of a map, the rounds of a loop. */
  readonly items: readonly Row[];
}

/** What only takes the time of the commit that journals it. */
const INSTANT_KINDS = new Set([
  "value",
  "state",
  "start",
  "hook",
  "emit",
  "join",
  "leave",
  "publish",
  "send",
  "subscribe",
  "unsubscribe",
]);
const WAITING_KINDS = new Set(["sleep", "signal", "message", "child", "mutation"]);
/** Fewer rounds of a loop stay rows of their own. */
const GROUP_FROM = 5;

const STATES: Readonly<Record<Outcome, RowState>> = {
  completed: "completed",
  failed: "failed",
  timed_out: "timed out",
  unknown: "unknown",
  retrying: "retrying",
  revived: "revived",
};

type Live = Pick<RunDetail, "status" | "sleeps" | "waits" | "branches" | "turnBegunAt">;

/** The rows, by when they began. */
export function rowsOf(lines: readonly Line[], run: Live, now: number): Row[] {
  const builders = new Map<string, Builder>();
  const builder = (id: string, key: string | null, name: string, kind: string) => {
    const known = builders.get(id) ?? new Builder(id, key, name, kind);
    builders.set(id, known);
    return known;
  };
  for (const line of lines) builder(idOf(line), line.key, nameOf(line), line.kind).add(line);
  if (!isOver(run.status)) addLive(run, presentOf(run, now), builder);
  const rows = [...builders.values()].map((each) => each.row());
  return grouped(rows.sort((a, b) => a.from - b.from || first(a) - first(b)));
}

class Builder {
  readonly #lines: Line[] = [];
  readonly #spans: Span[] = [];
  #state: RowState = "completed";
  #branch = false;
  readonly id: string;
  readonly key: string | null;
  readonly name: string;
  readonly kind: string;

  constructor(id: string, key: string | null, name: string, kind: string) {
    this.id = id;
    this.key = key;
    this.name = name;
    this.kind = kind;
  }

  add(line: Line): void {
    const [queued, started, recorded] = [line.queuedAt, line.startedAt, line.recordedAt].map(millis);
    const from = started ?? 0;
    const to = Math.max(from, recorded ?? 0);
    const failed = line.outcome === "retrying" || line.outcome === "failed" || line.outcome === "unknown";
    const kind = WAITING_KINDS.has(line.kind) ? "waiting" : "executing";
    if (queued !== null && queued !== undefined && queued < from && kind === "executing") {
      this.span("queued", queued, from);
    }
    this.span(kind, from, to, { failed });
    const retryAt = millis(line.retryAt);
    if (retryAt !== null && retryAt > to) this.span("backoff", to, retryAt);
    this.#lines.push(line);
    this.#state = STATES[line.outcome];
    this.#branch ||= line.branch;
  }

  goesOn(state: RowState, branch = false): void {
    this.#state = state;
    this.#branch ||= branch;
  }

  /** What has begun before is cut off where this begins: a backoff ends when its attempt begins. */
  span(kind: SpanKind, from: number, to: number, { failed = false, live = false } = {}): void {
    const last = this.#spans.at(-1);
    if (last !== undefined && last.to > from)
      this.#spans[this.#spans.length - 1] = { ...last, to: Math.max(last.from, from) };
    this.#spans.push({ kind, from, to: Math.max(from, to), failed, live });
  }

  row(): Row {
    const last = this.#lines.at(-1);
    return {
      id: this.id,
      key: this.key,
      name: this.name,
      kind: this.kind,
      state: this.#state,
      spans: this.#spans,
      lines: this.#lines,
      attempts: last?.attempt ?? 1,
      branch: this.#branch,
      childId: this.#lines.find((line) => line.childId !== null)?.childId ?? null,
      from: Math.min(...this.#spans.map((span) => span.from)),
      to: Math.max(...this.#spans.map((span) => span.to)),
      items: [],
    };
  }
}

/** Now, but not before anything that has begun: the viewer's clock may be behind the database's. */
function presentOf({ sleeps, waits, branches, turnBegunAt }: Live, now: number): number {
  const begun = [...sleeps, ...waits, ...branches].map(({ begunAt }) => begunAt);
  const attempts = branches.map(({ attemptBegunAt }) => attemptBegunAt);
  return Math.max(now, ...[...begun, ...attempts, turnBegunAt].map((at) => millis(at) ?? now));
}

/** What is under way now and not in the journal yet. */
function addLive(
  run: Live,
  now: number,
  builder: (id: string, key: string | null, name: string, kind: string) => Builder,
) {
  for (const { key, begunAt, dueAt } of run.sleeps) {
    const row = builder(`step:${key}`, key, key, "sleep");
    row.span("waiting", Date.parse(begunAt), now, { live: true });
    if (Date.parse(dueAt) > now) row.span("planned", now, Date.parse(dueAt));
    row.goesOn("waiting");
  }
  for (const { key, kind, begunAt } of run.waits) {
    const row = builder(`step:${key}`, key, key, kind);
    row.span("waiting", Date.parse(begunAt), now, { live: true });
    row.goesOn("waiting");
  }
  for (const branch of run.branches) {
    const row = builder(`step:${branch.key}`, branch.key, branch.key, "step");
    const began = millis(branch.attemptBegunAt);
    for (const { failedAt } of branch.failures)
      row.span("executing", Date.parse(failedAt), Date.parse(failedAt), { failed: true });
    const queued = Math.max(
      millis(branch.begunAt) ?? now,
      ...branch.failures.map(({ failedAt }) => Date.parse(failedAt)),
    );
    row.span("queued", queued, began ?? now, { live: began === null });
    if (began !== null) row.span("executing", began, now, { live: true });
    row.goesOn(began === null ? "queued" : "running", true);
  }
  const turn = millis(run.turnBegunAt);
  if (run.status === "running" && turn !== null) {
    const row = builder("turn", null, "This turn", "turn");
    row.span("executing", turn, now, { live: true });
    row.goesOn("running");
  }
}

function idOf(line: Line): string {
  if (line.key === null) return `entry:${line.seq}`;
  return line.kind === "compensation" ? `undo:${line.key}` : `step:${line.key}`;
}

function nameOf(line: Line): string {
  if (line.key === null) return line.kind === "revival" ? "Revived" : line.kind;
  return line.kind === "compensation" ? `undo ${line.key}` : line.key;
}

/** `item[3]` belongs to `item`, `page#3` to `page`. */
const ITEM = /^(.*?)(\[\d+\]|#\d+)$/s;

/** Items of maps, and the rounds of long loops, go together under the row of the first. */
function grouped(rows: readonly Row[]): Row[] {
  const families = Map.groupBy(rows, (row) => ITEM.exec(row.id)?.[1] ?? row.id);
  const together = new Set<Row>();
  const result: Row[] = [];
  for (const row of rows) {
    if (together.has(row)) continue;
    const family = families.get(ITEM.exec(row.id)?.[1] ?? row.id) ?? [];
    if (family.length < GROUP_FROM) result.push(row);
    else {
      result.push(familyRow(family));
      for (const member of family) together.add(member);
    }
  }
  return result;
}

function familyRow(items: readonly Row[]): Row {
  const [head] = items as [Row];
  const from = Math.min(...items.map((item) => item.from));
  const to = Math.max(...items.map((item) => item.to));
  const name = ITEM.exec(head.name)?.[1] ?? head.name;
  const state = worst(items.map((item) => item.state));
  const kind: SpanKind = WAITING_KINDS.has(head.kind) ? "waiting" : "executing";
  const span: Span = {
    kind,
    from,
    to,
    failed: state === "failed",
    live: items.some((item) => item.spans.some((s) => s.live)),
  };
  return {
    ...head,
    id: `family:${head.id}`,
    key: null,
    name,
    state,
    spans: [span],
    lines: [],
    from,
    to,
    items,
    childId: null,
  };
}

const BY_URGENCY: readonly RowState[] = [
  "failed",
  "unknown",
  "running",
  "retrying",
  "queued",
  "waiting",
  "timed out",
  "revived",
  "completed",
];

function worst(states: readonly RowState[]): RowState {
  return BY_URGENCY.find((state) => states.includes(state)) ?? "completed";
}

/** Something went wrong here, or is not over. */
export function isProblem(row: Row): boolean {
  return row.state !== "completed" || row.attempts > 1 || row.items.some(isProblem);
}

/** How long it was executed, or waited for; without the time in the queue and between attempts. */
export function workedMs(row: Row): number {
  return row.spans
    .filter((span) => span.kind === "executing" || span.kind === "waiting")
    .reduce((sum, span) => sum + span.to - span.from, 0);
}

export function queuedMs(row: Row): number {
  return row.spans
    .filter((span) => span.kind === "queued")
    .reduce((sum, span) => sum + span.to - span.from, 0);
}

export function isInstant(row: Row): boolean {
  return INSTANT_KINDS.has(row.kind);
}

function first(row: Row): number {
  return row.lines[0]?.seq ?? Number.POSITIVE_INFINITY;
}

function millis(at: string | null): number | null {
  return at === null ? null : Date.parse(at);
}
