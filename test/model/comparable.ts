/** Answers and rows without what two stores may do differently: numbers that sequences give, and orders that nobody promises. */
import type { Row, Rows } from "../storage/support/bed.ts";

/** Answers that come in no order. */
const BAGS: ReadonlySet<string> = new Set(["due", "turns", "claimed", "timers", "waits", "branches"]);

/** An answer, without the ids of deliveries and the numbers of events. */
export function comparable(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(comparable);
  if (value instanceof Date || typeof value !== "object" || value === null) return value;
  const fields = Object.entries(value).flatMap(([name, inner]): [string, unknown][] => {
    if (inner === undefined || (name === "id" && typeof inner === "number")) return [];
    if (name === "seq" && ("sink" in value || "sends" in value)) return [];
    return [[name, BAGS.has(name) ? bagOf(inner) : comparable(inner)]];
  });
  return Object.fromEntries(fields.sort(([a], [b]) => (a < b ? -1 : 1)));
}

function bagOf(items: unknown): unknown {
  if (!Array.isArray(items)) return comparable(items);
  const lines = items.map((item) => ({ item: comparable(item), text: JSON.stringify(comparable(item)) }));
  return lines.sort((a, b) => (a.text < b.text ? -1 : 1)).map(({ item }) => item);
}

/** Written for people who look; nothing that happens depends on them, and the store in memory has none. */
const UNREAD: Readonly<Record<string, readonly string[]>> = {
  timers: ["turn"],
  waits: ["turn"],
  runs: ["turn_begun_at"],
  branches: ["turn_begun_at"],
  deliveries: ["queued_at"],
  journal: ["queued_at"],
};

/**
 * Each row as a line, table by table. What a sequence numbered is named by its place among those that are there: a
 * delivery in its run, an event in its tenant; a cursor by how many messages are still before it.
 */
export function snapshotOf(rows: Rows): Readonly<Record<string, readonly string[]>> {
  const names = namesIn(rows);
  const tables = Object.entries(rows).filter(([, lines]) => lines.length > 0);
  const lines = tables.map(([table, all]) => [table, all.map((row) => lineOf(table, row, names)).sort()]);
  return Object.fromEntries(lines.sort());
}

interface Names {
  readonly deliveries: ReadonlyMap<unknown, string>;
  readonly messages: ReadonlyMap<unknown, string>;
  readonly events: ReadonlyMap<unknown, string>;
  readonly published: readonly Row[];
}

function namesIn({ deliveries = [], messages = [], outbox = [] }: Rows): Names {
  return {
    deliveries: places(deliveries, "id", ({ tenant, run_id }) => `${tenant}/${run_id}`),
    messages: places(messages, "id", ({ tenant, channel }) => `${tenant}/${channel}`),
    events: places(outbox, "seq", ({ tenant }) => String(tenant)),
    published: messages,
  };
}

/** By their numbers, the places that they have among those of one group. */
function places(rows: readonly Row[], column: string, groupOf: (row: Row) => string): Map<unknown, string> {
  const counts = new Map<string, number>();
  const inOrder = rows.toSorted((a, b) => Number(a[column]) - Number(b[column]));
  return new Map(
    inOrder.map((row) => {
      const place = (counts.get(groupOf(row)) ?? 0) + 1;
      counts.set(groupOf(row), place);
      return [String(row[column]), `${groupOf(row)} ${place}`];
    }),
  );
}

function lineOf(table: string, row: Row, names: Names): string {
  const without = UNREAD[table] ?? [];
  const columns = Object.entries({ ...row, ...numbersOf(table, row, names) })
    .filter(([name]) => !without.includes(name))
    .sort(([a], [b]) => (a < b ? -1 : 1));
  return JSON.stringify(columns.map(([name, value]) => [name, canonical(value)]));
}

function numbersOf(table: string, row: Row, { deliveries, messages, events, published }: Names): Row {
  const message = (id: unknown) => (id === null ? null : (messages.get(String(id)) ?? "gone"));
  switch (table) {
    case "deliveries":
      return { id: deliveries.get(String(row.id)), message_id: message(row.message_id) };
    case "messages":
      return { id: message(row.id) };
    case "outbox":
    case "outbox_sends":
      return { seq: events.get(String(row.seq)) };
    case "subscriptions":
      return { cursor: published.filter((one) => isAfter(one, row)).length };
    default:
      return {};
  }
}

function isAfter(message: Row, { tenant, channel, cursor }: Row): boolean {
  return message.tenant === tenant && message.channel === channel && Number(message.id) > Number(cursor);
}

/** As jsonb is: the order of keys says nothing. */
function canonical(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(canonical);
  if (value instanceof Date || typeof value !== "object" || value === null) return value;
  const fields = Object.entries(value).filter(([, inner]) => inner !== undefined);
  return Object.fromEntries(
    fields.sort(([a], [b]) => (a < b ? -1 : 1)).map(([name, inner]) => [name, canonical(inner)]),
  );
}
