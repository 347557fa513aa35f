/**
 * The same verbs over every way to Postgres: TCP, Neon's HTTP, which production uses, and Neon's WebSocket, which
 * transactions use. What comes back must not depend on how a driver reads a type.
 */
import { Client } from "@neondatabase/serverless";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Db } from "../../src/storage/db.ts";
import { createReads } from "../../src/storage/reads.ts";
import { createStore } from "../../src/storage/store.ts";
import { type Act, Commands, type Side } from "../model/commands.ts";
import { createDatabase, type TestDatabase } from "../support/database.ts";
import { postgresStore, type StoreUnderTest } from "./support/bed.ts";
import { openSession } from "./support/sessions.ts";

const COMMANDS = 150;
const START = Date.UTC(2030, 0, 1);

interface Transport {
  readonly name: string;
  readonly database: TestDatabase;
  readonly side: Side;
  close(): Promise<void>;
}

let transports: Transport[];

beforeAll(async () => {
  transports = [await overTcp(), await overHttp(), await overWebSocket()];
});
afterAll(async () => {
  for (const transport of transports ?? []) await transport.close();
});

async function overHttp(): Promise<Transport> {
  const database = await stillDatabase();
  return transportOf("HTTP", database, database.db, async () => {});
}

async function overTcp(): Promise<Transport> {
  const database = await stillDatabase();
  const session = await openSession(database.url);
  return transportOf("TCP", database, session.db, () => session.end());
}

async function overWebSocket(): Promise<Transport> {
  const database = await stillDatabase();
  const client = new Client({ connectionString: database.url });
  client.neonConfig.wsProxy = (host, port) => `${database.gateway}/v2?address=${host}:${port}`;
  client.neonConfig.useSecureWebSocket = false;
  client.neonConfig.pipelineConnect = false;
  await client.connect();
  const execute: Db["execute"] = async (statements) => {
    await client.query("begin");
    try {
      const answers = [];
      for (const { text, params } of statements) answers.push((await client.query(text, [...params])).rows);
      await client.query("commit");
      return answers;
    } catch (error) {
      await client.query("rollback");
      throw error;
    }
  };
  return transportOf("WebSocket", database, { execute }, () => client.end());
}

async function transportOf(
  name: string,
  database: TestDatabase,
  db: Db,
  close: () => Promise<unknown>,
): Promise<Transport> {
  let now = START;
  const given = await postgresStore(database);
  const under: StoreUnderTest = {
    ...given,
    async clear() {
      await given.clear();
      await database.rows("truncate pawl.outbox_sends restart identity");
      now = START;
      await setClock(database, now);
    },
    store: createStore(db),
    reads: createReads(db),
    async moveClock(ms) {
      now += ms;
      await setClock(database, now);
    },
  };
  return {
    name,
    database,
    side: { under, runs: [], branches: [], sends: [] },
    async close() {
      await close();
      await database.drop();
    },
  };
}

/** A database without chance, whose clock stands still until it is set: the sessions that come see it so. */
async function stillDatabase(): Promise<TestDatabase> {
  const database = await createDatabase();
  await database.pool.query(`
    create schema no_chance;
    create function no_chance.random() returns float8 language sql as 'select 0.5::float8';
    do $$ begin execute format('alter database %I set search_path = no_chance, pg_catalog, public', current_database()); end $$`);
  await setClock(database, START);
  return database;
}

const setClock = ({ pool }: TestDatabase, at: number) =>
  pool.query(`create or replace function pawl.clock() returns timestamptz language sql volatile as
    $$ select to_timestamp(${at} / 1000.0) $$`);

async function answerOf(act: Act, side: Side): Promise<unknown> {
  try {
    return await act(side);
  } catch (error) {
    return { refused: (error as { code?: string }).code };
  }
}

/** What reads give of all runs, and all rows as they stand. */
async function snapshotOf({ side: { under } }: Transport, ids: readonly string[]): Promise<unknown> {
  const seen: unknown[] = [];
  for (const runId of ids) {
    const ref = { tenant: "default", runId };
    const { reads } = under;
    seen.push(await reads.run(ref), await reads.journal(ref, 1_000, 0), await reads.underWay(ref));
  }
  return { seen, rows: await under.everything(), stuck: await under.stuckRuns() };
}

test.each([1, 2, 3])(
  "the same verbs give the same answers and leave the same rows over each of them: seed %i (C18)",
  async (seed) => {
    for (const { side } of transports) {
      await side.under.clear();
      for (const held of [side.runs, side.branches, side.sends]) held.splice(0);
    }
    const [first, ...others] = transports as [Transport, Transport, Transport];
    const commands = new Commands(seed);
    const names = new Set<string>();
    for (let i = 0; i < COMMANDS; i++) {
      const [name, act] = commands.next(first.side);
      names.add(name);
      const expected = await answerOf(act, first.side);
      for (const { name: over, side } of others) {
        expect({ over, name, answer: await answerOf(act, side) }).toEqual({ over, name, answer: expected });
      }
      for (const { side } of transports) await side.under.moveClock(1);
    }
    const snapshot = await snapshotOf(first, commands.ids);
    for (const transport of others) expect(await snapshotOf(transport, commands.ids)).toEqual(snapshot);
    expect(names.size).toBeGreaterThan(15);
  },
);
