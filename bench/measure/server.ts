/** The one Postgres of a run: default durability, a database for each system, and what it says of its own work. */
import { chmodSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import pg from "pg";
import { startPostgres } from "../../scripts/postgres.ts";
import { UNCOUNTED } from "../ledger.ts";

export interface Server {
  readonly pid: number;
  readonly version: string;
  freshDatabase(): Promise<string>;
  drop(url: string): Promise<void>;
  /** What autovacuum and the checkpointer would do within minutes, so that they do not do it while something is measured. */
  settle(url: string): Promise<void>;
  walPosition(): Promise<string>;
  /** Undefined where Postgres has no `pg_walinspect`. */
  walSince(position: string): Promise<{ records: number; images: number } | undefined>;
  /** Statements are counted from now on, from zero, or no longer. */
  countStatements(on: boolean): Promise<void>;
  /** Since counting began, in one database, without those of the bench; `begin` and `commit` are statements. */
  statements(url: string): Promise<number>;
  stop(): Promise<void>;
}

export async function startServer(): Promise<Server> {
  const folder = mkdtempSync(join(tmpdir(), "pawl-bench-"));
  chmodSync(folder, 0o755);
  const postgres = await startPostgres({ dataDir: join(folder, "postgres") });
  await withClient(postgres.url, async (client) => {
    await client.query("alter system set shared_preload_libraries = 'pg_stat_statements'");
    // Ten systems idle side by side in W5, each with the connections it likes.
    await client.query("alter system set max_connections = 400");
  });
  await postgres.restart();
  const admin = await connected(postgres.url);
  const ask = async <T>(text: string, params: unknown[] = []) =>
    (await admin.query(`${UNCOUNTED} ${text}`, params)).rows[0] as T;
  await ask("create extension pg_stat_statements");
  const inspects = await ask("create extension pg_walinspect").then(
    () => true,
    () => false,
  );
  await setTracking(admin, false);
  let databases = 0;
  return {
    pid: postgres.pid ?? 0,
    version: (await ask<{ version: string }>("select current_setting('server_version') as version")).version,
    async freshDatabase() {
      const url = new URL(postgres.url);
      url.pathname = `/bench_${++databases}`;
      await ask(`create database ${nameOf(url.href)}`);
      return url.href;
    },
    drop: (url) => ask(`drop database if exists ${nameOf(url)} with (force)`),
    settle: (url) =>
      withClient(url, async (client) => {
        await client.query(`${UNCOUNTED} vacuum analyze`);
        await client.query(`${UNCOUNTED} checkpoint`);
      }),
    walPosition: async () => (await ask<{ at: string }>("select pg_current_wal_flush_lsn()::text as at")).at,
    async walSince(position) {
      if (!inspects) return undefined;
      return ask(
        `select (pg_wal_lsn_diff(until, $1::pg_lsn) - images)::float8 as records, images::float8 as images
          from pg_current_wal_flush_lsn() until,
            lateral (select sum(fpi_size) as images from pg_get_wal_stats($1::pg_lsn, until)) stats`,
        [position],
      );
    },
    async countStatements(on) {
      await setTracking(admin, on);
      await ask("select pg_stat_statements_reset()");
    },
    async statements(url) {
      const { calls } = await ask<{ calls: number }>(
        `select coalesce(sum(calls), 0)::float8 as calls from pg_stat_statements
          where dbid = (select oid from pg_database where datname = $1) and query not like $2`,
        [nameOf(url), `${UNCOUNTED}%`],
      );
      return calls;
    },
    async stop() {
      await admin.end();
      await postgres.stop();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

async function setTracking(admin: pg.Client, on: boolean): Promise<void> {
  await admin.query(`alter system set pg_stat_statements.track = '${on ? "top" : "none"}'`);
  await admin.query("select pg_reload_conf()");
}

function nameOf(url: string): string {
  return new URL(url).pathname.slice(1);
}

async function connected(url: string): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: url });
  client.on("error", () => {});
  await client.connect();
  return client;
}

async function withClient(url: string, work: (client: pg.Client) => Promise<void>): Promise<void> {
  const client = await connected(url);
  try {
    await work(client);
  } finally {
    await client.end();
  }
}
