import pg from "pg";
import { inject } from "vitest";
import type { Bulks } from "../../src/engine/bulk.ts";
import type { History } from "../../src/engine/history.ts";
import type { Overview } from "../../src/engine/overview.ts";
import type { Store } from "../../src/engine/ports.ts";
import type { Reads } from "../../src/engine/reads.ts";
import type { Timings } from "../../src/engine/timings.ts";
import { createBulks } from "../../src/storage/bulks.ts";
import { connect, type Db } from "../../src/storage/db.ts";
import { createHistory } from "../../src/storage/history.ts";
import { createOverview } from "../../src/storage/overview.ts";
import { createReads } from "../../src/storage/reads.ts";
import { createStore } from "../../src/storage/store.ts";
import { createTimings } from "../../src/storage/timings.ts";

/** A migrated database of its own, reached both directly and as the worker does. */
export interface TestDatabase {
  readonly url: string;
  readonly gateway: string;
  readonly pool: pg.Pool;
  readonly db: Db;
  readonly store: Store;
  readonly reads: Reads;
  readonly overview: Overview;
  readonly history: History;
  readonly bulks: Bulks;
  readonly timings: Timings;
  /** Moves the one clock; every session sees it at once. */
  moveClock(ms: number): Promise<void>;
  /** Rows of a statement, for looking at what was written. */
  rows<T = Record<string, unknown>>(text: string, params?: readonly unknown[]): Promise<T[]>;
  drop(): Promise<void>;
}

let made = 0;

export async function createDatabase(): Promise<TestDatabase> {
  const admin = inject("postgresUrl");
  const name = `pawl_${process.pid}_${++made}`;
  await onServer(admin, `create database ${name} template ${inject("template")}`);
  const url = new URL(admin);
  url.pathname = `/${name}`;
  return openDatabase(url.href, () => onServer(admin, `drop database ${name} with (force)`));
}

/**
 * A migrated database that exists already; `remove` is called once nobody here is connected any more. Outside the
 * test runner there is no gateway but the one that is given.
 */
export function openDatabase(
  url: string,
  remove: () => Promise<void>,
  gateway = inject("gateway"),
): TestDatabase {
  const pool = new pg.Pool({ connectionString: url, max: 8 });
  // Tests cut connections on purpose; an idle one that breaks is no news.
  pool.on("error", () => {});
  pool.on("connect", (client) => client.on("error", () => {}));
  const db = connect(url, gateway);
  let offset = 0;
  return {
    url,
    gateway,
    pool,
    db,
    store: createStore(db),
    reads: createReads(db),
    overview: createOverview(db),
    history: createHistory(db),
    bulks: createBulks(db),
    timings: createTimings(db),
    async moveClock(ms) {
      offset += ms;
      await pool.query(`create or replace function pawl.clock() returns timestamptz language sql volatile as
        $$ select clock_timestamp() + ${Math.round(offset)} * interval '1 ms' $$`);
    },
    async rows<T>(text: string, params: readonly unknown[] = []) {
      return (await pool.query(text, [...params])).rows as T[];
    },
    async drop() {
      await pool.end();
      await remove();
    },
  };
}

async function onServer(url: string, text: string): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    await client.query(text);
  } finally {
    await client.end();
  }
}
