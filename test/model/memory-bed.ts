/** The in-memory store as the conformance suite wants it: rows under the names of their columns, and time that passes. */
import type { RunRef } from "../../src/engine/run.ts";
import type { Row, StoreUnderTest, Table } from "../storage/support/bed.ts";
import { seeded } from "../support/random.ts";
import type { StoredRun, Tables, TenantTables } from "./memory/tables.ts";
import { createMemory, type Memory } from "./memory.ts";

/** As on a real database, each call comes a little later than the one before. */
export async function memoryStore(): Promise<StoreUnderTest> {
  const under = standingMemory(Date.now(), seeded(1));
  const store = new Proxy(under.store, {
    get(verbs, name, receiver) {
      void under.moveClock(1);
      return Reflect.get(verbs, name, receiver);
    },
  });
  return { ...under, store };
}

/** Its clock stands still until it is moved. */
export function standingMemory(start: number, random?: () => number): StoreUnderTest {
  const memory = createMemory({ now: start, ...(random === undefined ? {} : { random }) });
  return {
    store: memory.store,
    reads: memory.reads,
    moveClock: async (ms) => memory.moveClock(ms),
    deliver: async (ref) => deliver(memory, ref),
    rowsOf: async (table, ref) => {
      const found = findIn(memory.tables, ref);
      return found === null ? [] : rowsOf(table, found.tenant, found.run);
    },
    everything: async () => everything(memory.tables),
    timers: async (ref) => [...(findIn(memory.tables, ref)?.run.timers.keys() ?? [])].sort(),
    stuckRuns: async () => memory.stuckRuns(),
    violations: async () => memory.violations(),
    corrupt: async ({ runId }) => void memory.tables.corrupt.add(runId),
    async clear() {
      memory.clear();
      memory.moveClock(start - memory.now());
    },
    close: async () => {},
  };
}

function deliver({ tables, now }: Memory, ref: RunRef): void {
  const row = findIn(tables, ref)?.run.row;
  if (row === undefined) return;
  row.deliveries += 1;
  if (row.status === "waiting") row.wakeAt = now();
}

function findIn({ tenants }: Tables, { tenant: name, runId }: RunRef) {
  const tenant = tenants.get(name);
  const run = tenant?.runs.get(runId);
  return tenant === undefined || run === undefined ? null : { tenant, run };
}

const TABLES: readonly Table[] = [
  "waits",
  "deliveries",
  "branches",
  "subscriptions",
  "run_groups",
  "hooks",
  "run_state",
  "mutations",
];

function rowsOf(table: Table, tenant: TenantTables, run: StoredRun): Row[] {
  const rows = fieldsOf(table, tenant, run).map((fields) => toColumns({ runId: run.row.id, ...fields }));
  const name = table === "subscriptions" ? "channel" : table === "run_groups" ? "name" : "key";
  return table === "deliveries" ? rows : rows.sort((a, b) => (String(a[name]) < String(b[name]) ? -1 : 1));
}

function fieldsOf(table: Table, tenant: TenantTables, run: StoredRun): object[] {
  const { id } = run.row;
  switch (table) {
    case "waits":
      return Array.from(run.waits.values(), ({ wait, name }) => ({ ...wait, name }));
    case "deliveries":
      return deliveriesOf(run);
    case "branches":
      return [...run.branches.values()];
    case "subscriptions":
      return Array.from(run.channels, (channel) => ({
        channel,
        ...tenant.channels.get(channel)?.subscriptions.get(id),
      }));
    case "run_groups":
      return Array.from(run.groups, (name) => ({ name, joinedAt: tenant.groups.get(name)?.get(id) }));
    case "hooks":
      return [...run.hooks.values()];
    case "run_state":
      return Array.from(run.state, ([key, line]) => ({ key, ...line }));
    case "mutations":
      return Array.from(run.mutations, ([key, line]) => ({ key, ...line }));
  }
}

function deliveriesOf({ inbox, taken }: StoredRun): object[] {
  const all = [
    ...Array.from(inbox.values(), ({ delivery, messageId }) => ({
      ...delivery,
      messageId,
      consumedBy: null,
    })),
    ...Array.from(taken.values(), ({ delivery, consumedBy }) => ({
      ...delivery,
      messageId: null,
      consumedBy,
    })),
  ];
  return all.sort((a, b) => a.id - b.id).map((row) => ({ ...row, payload: row.payload?.json ?? null }));
}

/** `leaseExpiresAt: 0` is `lease_expires_at: new Date(0)`. */
function toColumns(fields: object): Row {
  const columns = Object.entries(fields).map(([name, value]) => {
    const column = name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
    const isInstant = name.endsWith("At") && typeof value === "number" && name !== "askedAt";
    return [column, isInstant ? new Date(value) : value];
  });
  return Object.fromEntries(columns);
}

/** Each row as a text, by the name of its table. */
function everything({ tenants, outbox }: Tables): unknown {
  const lines: { readonly table: string; readonly row: string }[] = [];
  const add = (table: string, row: unknown) => lines.push({ table, row: JSON.stringify(row) });
  for (const tenant of tenants.values()) {
    for (const run of tenant.runs.values()) {
      add("runs", run.row);
      for (const entry of run.journal) add("journal", entry);
      for (const timer of run.timers.values()) add("timers", timer);
      for (const table of TABLES) for (const row of rowsOf(table, tenant, run)) add(table, row);
    }
    for (const channel of tenant.channels.values()) {
      add("channels", [channel.name, channel.mode]);
      for (const message of channel.messages.values()) add("messages", message);
    }
  }
  for (const { sends, ...event } of outbox.values()) add("outbox", [event, ...sends]);
  return lines;
}
