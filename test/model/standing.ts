/** A Postgres whose time stands still until it is moved, and in which nothing happens by chance. */
import type { StoreUnderTest } from "../storage/support/bed.ts";
import { createDatabase, type TestDatabase } from "../support/database.ts";

/** The clock stands here at first. */
export const START = Date.UTC(2030, 0, 1);

/** For the sessions that come, before what Postgres has by itself: no backoff is spread, and no transaction takes time. */
const NO_CHANCE = `
create schema no_chance;
create function no_chance.random() returns float8 language sql as 'select 0.5::float8';
create function no_chance.clock_timestamp() returns timestamptz language sql as 'select transaction_timestamp()';
create table no_chance.instant (at timestamptz);
insert into no_chance.instant values ('${new Date(START).toISOString()}');
create or replace function pawl.clock() returns timestamptz language sql volatile as 'select at from no_chance.instant';
do $$ begin execute format('alter database %I set search_path = no_chance, pg_catalog, public', current_database()); end $$`;

export async function standingDatabase(): Promise<TestDatabase> {
  const database = await createDatabase();
  await database.pool.query(NO_CHANCE);
  return database;
}

/** The store of such a database, whose clock moves by what it is told, and back to its beginning when all is forgotten. */
export function standing(under: StoreUnderTest, { pool }: TestDatabase): StoreUnderTest {
  let now = START;
  const set = () =>
    pool.query({ name: "clock", text: "update no_chance.instant set at = $1", values: [new Date(now)] });
  return {
    ...under,
    async moveClock(ms) {
      now += ms;
      await set();
    },
    async clear() {
      await under.clear();
      now = START;
      await set();
    },
  };
}
