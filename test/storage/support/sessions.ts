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
  // A plan that is forced looks costly, and Postgres would spend seconds on compiling it.
  await client.query(`set pawl.passes_held_clock = on; set jit = off; ${settings}`);
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

const PATIENCE_MS = 20_000;

/** Resolves once `count` sessions of the database really wait for a lock. */
export async function untilBlocked({ rows }: TestDatabase, count: number): Promise<void> {
  const blocked = `select pid from pg_stat_activity
    where datname = current_database() and wait_event_type = 'Lock' and pid <> pg_backend_pid()`;
  for (const start = performance.now(); performance.now() - start < PATIENCE_MS; ) {
    if ((await rows(blocked)).length >= count) return;
  }
  throw new Error(`no ${count} sessions came to wait for a lock`);
}

export interface Lock {
  readonly text: string;
  readonly params: readonly unknown[];
}

/** Does `work` while another session holds what `lock` locks, and commits it after. */
export async function holding<T>(
  database: TestDatabase,
  lock: Lock,
  work: (letGo: () => Promise<void>) => Promise<T>,
) {
  const holder = await openSession(database.url);
  try {
    await holder.query("begin");
    await holder.query(lock.text, lock.params);
    return await work(async () => void (await holder.query("commit")));
  } finally {
    await holder.end();
  }
}

/**
 * What each of `works` answers; they come to wait for the locked rows in this order. `meanwhile` happens
 * then, and after it the rows are let go.
 */
export function whileHeld<T>(
  database: TestDatabase,
  lock: Lock,
  works: readonly (() => Promise<T>)[],
  meanwhile: () => Promise<unknown> = async () => {},
): Promise<T[]> {
  return holding(database, lock, async (letGo) => {
    const working: Promise<T>[] = [];
    for (const work of works) {
      working.push(work());
      await toWait(database, working);
    }
    await meanwhile();
    await letGo();
    return Promise.all(working);
  });
}

/** Resolves once all of `working` wait; fails when the last of them ends instead. */
async function toWait(database: TestDatabase, working: readonly Promise<unknown>[]): Promise<void> {
  const ended = Promise.resolve(working.at(-1)).then(() => {
    throw new Error("it did not wait for the lock");
  });
  await Promise.race([untilBlocked(database, working.length), ended]);
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
    await toWait(database, [working]);
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
