/**
 * Applies migrations/NNNN_what_it_does.sql in order, each in one transaction with its record in
 * pawl.migrations. Two at once are safe; a file that was edited after it was applied is refused. One that cannot have its
 * locks at once lets the traffic pass and tries again, 60 times in all.
 *
 *   DATABASE_URL=… npm run migrate [-- --dry-run]
 */
import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { parseArgs } from "node:util";
import pg from "pg";
import { runCommand } from "./support/command.ts";
import { connect, readDatabaseUrl } from "./support/database.ts";

interface Migration {
  readonly name: string;
  readonly sql: string;
  readonly checksum: string;
}

export interface MigrateOptions {
  readonly folder?: string;
  /** Only tells what would be applied. */
  readonly dryRun?: boolean;
  /** How often a migration is tried whose locks somebody else holds. */
  readonly tries?: number;
}

const ownFolder = join(import.meta.dirname, "..", "migrations");
const recordTable = `
  create schema if not exists pawl;
  create table if not exists pawl.migrations (
    name text primary key,
    checksum text not null,
    applied_at timestamptz not null default now()
  )`;
/** "pawl" as a number: any constant will do that nothing else in the database uses. */
const lockKey = 0x7061776c;

/**
 * While a migration waits for a lock, whoever comes after it waits too, turns of runs included. Three such waits in one
 * file stay below a second.
 */
const lockTimeoutMs = 300;
/** Between two tries what has queued behind the last one gets through; spread, so as not to keep step with what holds the lock. */
const pauseMs = () => 500 + 1_000 * Math.random();
const defaultTries = 60;
const lockNotAvailable = "55P03";

/** Returns the names of what it applied. */
export async function migrate(url: string, options: MigrateOptions = {}): Promise<string[]> {
  const { folder = ownFolder, dryRun = false, tries = defaultTries } = options;
  const migrations = readMigrations(folder);
  const client = await connect(url);
  try {
    if (dryRun) return findPending(migrations, await readApplied(client)).map(({ name }) => name);
    const applied: string[] = [];
    for (;;) {
      const name = await patiently(tries, () => applyNext(client, migrations));
      if (name === undefined) return applied;
      applied.push(name);
    }
  } finally {
    await client.end();
  }
}

async function patiently<T>(tries: number, work: () => Promise<T>): Promise<T> {
  for (let left = tries - 1; ; left--) {
    try {
      return await work();
    } catch (error) {
      if (left <= 0 || !isLockTimeout(error)) throw error;
      await pause(pauseMs());
    }
  }
}

function isLockTimeout(error: unknown): boolean {
  const { cause } = error as Error;
  return cause instanceof pg.DatabaseError && cause.code === lockNotAvailable;
}

function readMigrations(folder: string): Migration[] {
  const names = readdirSync(folder).filter((name) => name.endsWith(".sql"));
  return names.sort().map((name, index) => {
    if (!/^\d{4}_[a-z0-9_]+\.sql$/.test(name))
      throw new Error(`migrations/${name}: name it NNNN_what_it_does.sql`);
    if (names[index - 1]?.slice(0, 4) === name.slice(0, 4))
      throw new Error(`migrations/${name}: number taken`);
    const sql = readFileSync(join(folder, name), "utf8").replaceAll("\r\n", "\n");
    return { name, sql, checksum: createHash("sha256").update(sql).digest("hex") };
  });
}

async function readApplied(client: pg.Client): Promise<Map<string, string>> {
  const { rows: found } = await client.query(
    "select from pg_class where oid = to_regclass('pawl.migrations')",
  );
  if (found.length === 0) return new Map();
  const { rows } = await client.query<Migration>("select name, checksum from pawl.migrations");
  return new Map(rows.map(({ name, checksum }) => [name, checksum]));
}

function findPending(migrations: readonly Migration[], applied: ReadonlyMap<string, string>): Migration[] {
  const edited = migrations.find(({ name, checksum }) => (applied.get(name) ?? checksum) !== checksum);
  if (edited !== undefined) {
    throw new Error(
      `migrations/${edited.name} was edited after it was applied: restore it, and put the change in a new file`,
    );
  }
  const last = [...applied.keys()].sort().at(-1) ?? "";
  const pending = migrations.filter(({ name }) => !applied.has(name));
  const late = pending.find(({ name }) => name < last);
  if (late !== undefined)
    throw new Error(
      `migrations/${late.name} comes before ${last}, which is applied: give it a higher number`,
    );
  return pending;
}

/** The lock is the transaction's, not the session's, so that it also holds through a connection pooler. */
async function applyNext(client: pg.Client, migrations: readonly Migration[]): Promise<string | undefined> {
  await client.query("begin");
  try {
    await client.query("select pg_advisory_xact_lock($1)", [lockKey]);
    await client.query(`set local lock_timeout = ${lockTimeoutMs}`);
    const applied = await readApplied(client);
    const [next] = findPending(migrations, applied);
    if (next === undefined) {
      await client.query("rollback");
      return undefined;
    }
    if (applied.size === 0) await client.query(recordTable);
    await run(client, next);
    await client.query("insert into pawl.migrations (name, checksum) values ($1, $2)", [
      next.name,
      next.checksum,
    ]);
    await client.query("commit");
    return next.name;
  } catch (error) {
    await client.query("rollback").catch(() => {});
    throw error;
  }
}

async function run(client: pg.Client, { name, sql }: Migration): Promise<void> {
  try {
    await client.query(sql);
  } catch (error) {
    const position = error instanceof pg.DatabaseError ? Number(error.position) : Number.NaN;
    const line = position > 0 ? ` at line ${sql.slice(0, position).split("\n").length}` : "";
    const reason = error instanceof Error ? error.message : String(error);
    throw new Error(`migrations/${name} failed${line} and changed nothing: ${reason}`, { cause: error });
  }
}

if (import.meta.main) {
  await runCommand(async () => {
    const { values } = parseArgs({ options: { "dry-run": { type: "boolean", default: false } } });
    const url = readDatabaseUrl();
    if (url === undefined) {
      throw new Error(
        "set DATABASE_URL to the database to migrate: DATABASE_URL=postgres://… npm run migrate",
      );
    }
    const dryRun = values["dry-run"];
    const names = await migrate(url, { dryRun });
    for (const name of names) console.log(`${dryRun ? "would apply" : "applied"} ${name}`);
    if (names.length === 0) console.log("nothing to apply");
  });
}
