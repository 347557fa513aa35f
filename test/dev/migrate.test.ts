import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import pg from "pg";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { migrate } from "../../scripts/migrate.ts";
import { type ThrowawayPostgres, throwawayFolder, throwawayPostgres } from "../support/postgres.ts";

let database: ThrowawayPostgres;
let url: string;
let folder: string;
let databases = 0;

beforeAll(async () => {
  database = await throwawayPostgres();
}, 60_000);

afterAll(() => database?.remove());

beforeEach(async () => {
  const name = `migrated_${++databases}`;
  await query(database.postgres.url, `create database ${name}`);
  url = database.postgres.url.replace(/pawl$/, name);
  folder = throwawayFolder();
  write("0001_make_a.sql", "create table a (id int);\ninsert into a values (1);\n");
  write("0002_make_b.sql", "create table b (id int);");
  return () => rmSync(folder, { recursive: true });
});

test("applies what is new, in order, once", async () => {
  expect(await migrate(url, { folder })).toEqual(["0001_make_a.sql", "0002_make_b.sql"]);
  expect(await migrate(url, { folder })).toEqual([]);
  write("0003_make_c.sql", "create table c (id int)");
  expect(await migrate(url, { folder })).toEqual(["0003_make_c.sql"]);
  expect(await query(url, "select * from a")).toEqual([{ id: 1 }]);
  const records = await query(
    url,
    "select name, length(checksum) as size from pawl.migrations order by name",
  );
  expect(records.map(({ name }) => name)).toEqual(["0001_make_a.sql", "0002_make_b.sql", "0003_make_c.sql"]);
  expect(records[0]?.size).toBe(64);
});

test("two at once share the work", async () => {
  write("0003_take_time.sql", "select pg_sleep(0.2)");
  const applied = await Promise.all([1, 2, 3].map(() => migrate(url, { folder })));
  expect(applied.flat().sort()).toEqual(["0001_make_a.sql", "0002_make_b.sql", "0003_take_time.sql"]);
});

test("a dry run tells and does nothing", async () => {
  expect(await migrate(url, { folder, dryRun: true })).toEqual(["0001_make_a.sql", "0002_make_b.sql"]);
  expect(await query(url, "select to_regclass('a') as a, to_regclass('pawl.migrations') as m")).toEqual([
    { a: null, m: null },
  ]);
});

test("an applied file that was edited is refused", async () => {
  await migrate(url, { folder });
  write("0001_make_a.sql", "create table a (id bigint);");
  await expect(migrate(url, { folder })).rejects.toThrow(
    /0001_make_a\.sql was edited after it was applied: restore it/,
  );
});

test("line endings are no edit", async () => {
  await migrate(url, { folder });
  write("0001_make_a.sql", "create table a (id int);\r\ninsert into a values (1);\r\n");
  expect(await migrate(url, { folder })).toEqual([]);
});

test("a file that comes late with a lower number is refused", async () => {
  await migrate(url, { folder });
  write("0000_before.sql", "select 1");
  await expect(migrate(url, { folder })).rejects.toThrow(/0000_before\.sql comes before 0002_make_b\.sql/);
});

test("a file that fails leaves no trace, and those before it stay", async () => {
  write("0003_half.sql", "create table half (id int);\nselect *\nfrom nowhere;");
  await expect(migrate(url, { folder })).rejects.toThrow(
    'migrations/0003_half.sql failed at line 3 and changed nothing: relation "nowhere" does not exist',
  );
  expect(await query(url, "select to_regclass('half') as half, to_regclass('b')::text as b")).toEqual([
    { half: null, b: "b" },
  ]);
});

test("an index made concurrently is refused before it waits for old snapshots, and none is left invalid (J6)", async () => {
  await migrate(url, { folder });
  const reader = new pg.Client({ connectionString: url });
  await reader.connect();
  await reader.query("begin isolation level repeatable read");
  expect((await reader.query("select id from a")).rows).toEqual([{ id: 1 }]);
  write("0003_index_a.sql", "create index concurrently a_by_id on a (id)");
  await expect(migrate(url, { folder })).rejects.toThrow("cannot run inside a transaction block");
  expect(await query(url, "select indexrelid::regclass from pg_index where not indisvalid")).toEqual([]);
  write("0003_index_a.sql", "create index a_by_id on a (id)");
  expect(await migrate(url, { folder })).toEqual(["0003_index_a.sql"]);
  expect(await query(url, "select indisvalid from pg_index where indexrelid = 'a_by_id'::regclass")).toEqual([
    { indisvalid: true },
  ]);
  await reader.end();
});

test("waits for no lock as long as a second, since turns would wait behind it (J5)", async () => {
  const waits = "select extract(epoch from current_setting('lock_timeout')::interval)::float8 as seconds";
  write("0003_note_timeout.sql", `create table noted as ${waits}`);
  await migrate(url, { folder });
  const [noted] = await query(url, "select seconds from noted");
  expect(noted?.seconds).toBeGreaterThan(0);
  expect(noted?.seconds).toBeLessThan(1);
});

test("one that fails for another reason than a lock is not tried again", async () => {
  write("0002_make_b.sql", "create sequence tries");
  write("0003_wrong.sql", "select nextval('tries'); select 1 / 0");
  await expect(migrate(url, { folder })).rejects.toThrow("division by zero");
  // What a sequence gave is not given back.
  expect(await query(url, "select last_value::int as tries from tries")).toEqual([{ tries: 1 }]);
});

test("a name without number is refused", async () => {
  write("make.sql", "select 1");
  await expect(migrate(url, { folder })).rejects.toThrow("name it NNNN_what_it_does.sql");
});

function write(name: string, sql: string): void {
  writeFileSync(join(folder, name), sql);
}

async function query(target: string, text: string): Promise<Record<string, unknown>[]> {
  const client = new pg.Client({ connectionString: target });
  await client.connect();
  try {
    return (await client.query(text)).rows;
  } finally {
    await client.end();
  }
}
