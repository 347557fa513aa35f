/** Sessions of one's own beside the gateway's, to hold a row or a moment while another session runs into it. */
import pg from "pg";
import type { Db, Row } from "../../../src/storage/db.ts";
import type { TestDatabase } from "../../support/database.ts";

export interface Session {
  readonly db: Db;
  query<T = Row>(text: string, params?: readonly unknown[]): Promise<T[]>;
  end(): Promise<void>;
}

/** A connection past the gateway, which also passes a held clock. */
export async function openSession(url: string, settings = ""): Promise<Session> {
  const client = new pg.Client({ connectionString: url });
  client.on("error", () => {});
  await client.connect();
  await client.query(`set pawl.passes_held_clock = on; ${settings}`);
  const query = async <T>(text: string, params: readonly unknown[] = []) =>
    (await client.query(text, [...params])).rows as T[];
  return {
    query,
    db: { execute: (statements) => inTransaction(client, statements) },
    end: () => client.end(),
  };
}

async function inTransaction(client: pg.Client, statements: Parameters<Db["execute"]>[0]): Promise<Row[][]> {
  const answers: Row[][] = [];
  await client.query("begin");
  try {
    for (const { text, params } of statements) answers.push((await client.query(text, [...params])).rows);
    await client.query("commit");
    return answers;
  } catch (error) {
    await client.query("rollback");
    throw error;
  }
}

/** Resolves once `count` sessions of the database really wait for a lock. */
export async function untilBlocked({ rows }: TestDatabase, count = 1): Promise<void> {
  const blocked = `select pid from pg_stat_activity
    where datname = current_database() and wait_event_type = 'Lock' and pid <> pg_backend_pid()`;
  for (let i = 0; i < 5_000; i++) if ((await rows(blocked)).length >= count) return;
  throw new Error(`no ${count} sessions came to wait for a lock`);
}

/** What `work` answers; `meanwhile` happens once `work` waits for the rows, which are then let go. */
export async function whileHeld<T>(
  database: TestDatabase,
  lock: { readonly text: string; readonly params: readonly unknown[] },
  work: readonly (() => Promise<T>)[],
  meanwhile: () => Promise<unknown> = async () => {},
): Promise<T[]> {
  const holder = await openSession(database.url);
  try {
    await holder.query("begin");
    await holder.query(lock.text, lock.params);
    const working: Promise<T>[] = [];
    for (const one of work) {
      working.push(one());
      await untilBlocked(database, working.length);
    }
    await meanwhile();
    await holder.query("commit");
    return await Promise.all(working);
  } finally {
    await holder.end();
  }
}

const GATE = 4711;

/**
 * What `work` answers when it is held where it asks for the time: its first statement has its snapshot and
 * no row yet. `meanwhile` happens then; sessions of `openSession` pass.
 */
export async function whileClockIsHeld<T>(
  database: TestDatabase,
  work: () => Promise<T>,
  meanwhile: () => Promise<unknown>,
): Promise<T> {
  const holder = await openSession(database.url);
  try {
    await holder.query(HELD_CLOCK);
    await holder.query(`select pg_advisory_lock(${GATE})`);
    const working = work();
    await untilBlocked(database);
    await meanwhile();
    await holder.query(`select pg_advisory_unlock(${GATE})`);
    return await working;
  } finally {
    await holder.end();
    await database.moveClock(0);
  }
}

const HELD_CLOCK = `create or replace function pawl.clock() returns timestamptz language plpgsql volatile as $$
begin
  if current_setting('pawl.passes_held_clock', true) is distinct from 'on' then
    perform pg_advisory_xact_lock_shared(${GATE});
  end if;
  return clock_timestamp();
end $$`;
