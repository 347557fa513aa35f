/** The in-memory store as the conformance suite wants it: rows under the names of their columns, and time that passes. */
import type { RunRef } from "../../src/engine/run.ts";
import type { Row, StoreUnderTest, Table } from "../storage/support/bed.ts";
import { seeded } from "../support/random.ts";
import type { Tables } from "./memory/tables.ts";
import { createMemory, type Memory } from "./memory.ts";
import { rowsOfRun, rowsOfTables } from "./memory-rows.ts";

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
    transactions: memory.transactions,
    moveClock: async (ms) => memory.moveClock(ms),
    deliver: async (ref) => deliver(memory, ref),
    rowsOf: async (table, ref) => {
      const found = findIn(memory.tables, ref);
      return found === null ? [] : sorted(table, rowsOfRun(found.tenant, found.run)[table] ?? []);
    },
    everything: async () => rowsOfTables(memory.tables),
    timers: async (ref) => [...(findIn(memory.tables, ref)?.run.timers.keys() ?? [])].sort(),
    stuckRuns: async () => memory.stuckRuns(),
    violations: async () => memory.violations(),
    corrupt: async ({ runId }) => void memory.tables.corrupt.add(runId),
    async clear() {
      memory.clear();
      memory.moveClock(start - memory.now());
    },
    sized: memory.sized,
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

/** Deliveries stay in the order of their arrival. */
function sorted(table: Table, rows: readonly Row[]): Row[] {
  const name = KEYS[table] ?? "key";
  return table === "deliveries"
    ? [...rows]
    : rows.toSorted((a, b) => (String(a[name]) < String(b[name]) ? -1 : 1));
}

const KEYS: Readonly<Partial<Record<Table, string>>> = {
  subscriptions: "channel",
  run_groups: "name",
  mutations: "mutation_key",
};
