/** `schema.ts` says of the tables what the migrations made of them. */
import { getTableColumns } from "drizzle-orm";
import { getTableConfig, PgTable } from "drizzle-orm/pg-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import * as schema from "../../src/storage/schema.ts";
import { createDatabase, type TestDatabase } from "../support/database.ts";
import { TABLES } from "../support/tables.ts";

/** Kept by `scripts/migrate.ts`, which is no part of the worker. */
const NOT_THE_WORKERS = new Set(["migrations"]);

const OF_THE_DEPLOYMENT = new Set(["ticks", "timings", "sweeps"]);

interface Column {
  readonly table_name: string;
  readonly column_name: string;
  readonly type: string;
  readonly nullable: boolean;
  readonly has_default: boolean;
}

let database: TestDatabase;
beforeAll(async () => {
  database = await createDatabase();
});
afterAll(() => database.drop());

const exported: readonly unknown[] = Object.values(schema);
const tables = exported.filter((value): value is PgTable => value instanceof PgTable);

test("both know the same tables, columns, types, nullability and defaults", async () => {
  const migrated = await database.rows<Column>(`
    select c.table_name, c.column_name, format_type(a.atttypid, a.atttypmod) as type,
      c.is_nullable = 'YES' as nullable, c.column_default is not null or c.is_identity = 'YES' as has_default
    from information_schema.columns c
    join information_schema.tables t using (table_schema, table_name)
    join pg_attribute a on a.attrelid = format('%I.%I', c.table_schema, c.table_name)::regclass
      and a.attname = c.column_name
    where c.table_schema = 'pawl' and t.table_type = 'BASE TABLE'`);
  const described = tables.flatMap((table): Column[] =>
    Object.values(getTableColumns(table)).map((column) => ({
      table_name: getTableConfig(table).name,
      column_name: column.name,
      type: column.getSQLType(),
      nullable: !column.notNull,
      has_default: column.hasDefault,
    })),
  );
  const sorted = (columns: readonly Column[]) =>
    columns.toSorted((a, b) =>
      `${a.table_name}.${a.column_name}`.localeCompare(`${b.table_name}.${b.column_name}`),
    );
  const ours = migrated.filter(({ table_name }) => !NOT_THE_WORKERS.has(table_name));
  expect(sorted(described)).toEqual(sorted(ours));
});

test("both know the same primary keys", async () => {
  const migrated = await database.rows<{ table_name: string; columns: string[] }>(`
    select c.conrelid::regclass::text as table_name,
      array(select a.attname::text from unnest(c.conkey) with ordinality k (n, i)
        join pg_attribute a on a.attrelid = c.conrelid and a.attnum = k.n order by k.i) as columns
    from pg_constraint c where c.contype = 'p' and c.connamespace = 'pawl'::regnamespace`);
  const described = tables.map((table) => {
    const { name, primaryKeys, columns } = getTableConfig(table);
    const single = columns.filter((column) => column.primary).map((column) => column.name);
    return [`pawl.${name}`, primaryKeys[0]?.columns.map((column) => column.name) ?? single] as const;
  });
  const ours = migrated.filter(({ table_name }) => !NOT_THE_WORKERS.has(table_name.replace("pawl.", "")));
  expect(new Map(described)).toEqual(new Map(ours.map(({ table_name, columns }) => [table_name, columns])));
});

test("every table but those of the deployment carries the tenant first in its key", async () => {
  for (const table of tables) {
    const { name, primaryKeys } = getTableConfig(table);
    if (OF_THE_DEPLOYMENT.has(name)) continue;
    expect([name, primaryKeys[0]?.columns[0]?.name]).toEqual([name, "tenant"]);
    expect(getTableColumns(table).tenant?.notNull).toBe(true);
  }
});

test("tests forget and compare every table that belongs to tenants", () => {
  const named = tables.map((table) => getTableConfig(table).name);
  expect([...TABLES].sort()).toEqual(named.filter((name) => !OF_THE_DEPLOYMENT.has(name)).sort());
});
