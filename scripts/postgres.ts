/**
 * A real Postgres on 127.0.0.1, without an installation: it stops when this process does, however it ends.
 * The data directory keeps its password (`pawl.password`) and the log of its last start (`server.log`).
 */
import type { ChildProcess } from "node:child_process";
import { join, resolve } from "node:path";
import pg from "pg";
import { postgresAccount } from "./postgres/account.ts";
import { findBinaries } from "./postgres/binaries.ts";
import { type ClusterPlan, initialise, readPassword } from "./postgres/initialise.ts";
import { stopOrphan } from "./postgres/orphan.ts";
import { hasEnded, type StopMode, startServer, stopServer } from "./postgres/server.ts";
import { enterableDataDir } from "./postgres/shelter.ts";
import { connectionUrl } from "./postgres/url.ts";
import { claim, release } from "./support/claim.ts";
import { lastingPort } from "./support/ports.ts";

export interface PostgresOptions {
  /** Where the data lives; by default `postgres-<major>` in `stateDir`. */
  readonly dataDir?: string;
  readonly stateDir?: string;
  readonly port?: number;
  /** False for throwaway data: survives a kill of Postgres, not of the machine. */
  readonly durable?: boolean;
  readonly log?: (line: string) => void;
  /** Called when it ends without having been asked to. */
  readonly onExit?: (reason: string) => void;
}

export interface RunningPostgres {
  readonly url: string;
  readonly port: number;
  readonly dataDir: string;
  /** Of the postmaster; undefined while it is stopped. */
  readonly pid: number | undefined;
  stop(mode?: StopMode): Promise<void>;
  /** On the same port, also after a stop or a kill. */
  restart(mode?: StopMode): Promise<void>;
}

export async function startPostgres(options: PostgresOptions = {}): Promise<RunningPostgres> {
  const { log = () => {}, onExit = () => {}, durable = true } = options;
  const plan = planCluster(options, durable);
  const { dataDir } = plan;
  const ownerFile = `${dataDir}.owner`;
  occupy(dataDir, ownerFile);
  let child: ChildProcess | undefined;
  let stopping = false;
  let occupied = true;
  let port = 0;

  const start = async () => {
    stopping = false;
    const started = await startServer(plan, port);
    started.once("exit", (code, signal) => {
      if (!stopping)
        onExit(`Postgres ended by itself (${signal ?? `exit code ${code}`}), see ${dataDir}/server.log`);
    });
    child = started;
  };
  const stop = async (mode: StopMode = "fast") => {
    stopping = true;
    if (child !== undefined) await stopServer(child, mode);
  };

  try {
    log(`Postgres ${plan.binaries.major} in ${dataDir}`);
    await initialise(plan);
    const password = readPassword(dataDir);
    await stopOrphan(dataDir, password);
    port = options.port ?? (await lastingPort());
    await start();
    await createDatabase(port, password);
    return {
      url: connectionUrl(port, password),
      port,
      dataDir,
      get pid() {
        return child === undefined || hasEnded(child) ? undefined : child.pid;
      },
      async stop(mode) {
        await stop(mode);
        release(ownerFile);
        occupied = false;
      },
      async restart(mode) {
        await stop(mode);
        if (!occupied) occupy(dataDir, ownerFile);
        occupied = true;
        await start();
      },
    };
  } catch (error) {
    await stop();
    release(ownerFile);
    throw error;
  }
}

function occupy(dataDir: string, ownerFile: string): void {
  const owner = claim(ownerFile);
  if (owner === undefined) return;
  throw new Error(`${dataDir} is in use by process ${owner.pid}: stop that one first`);
}

function planCluster({ dataDir, stateDir = ".pawl" }: PostgresOptions, durable: boolean): ClusterPlan {
  const wanted = dataDir ?? stateDir;
  const account = postgresAccount(resolve(wanted));
  const binaries = findBinaries(account);
  const chosen = resolve(dataDir ?? join(stateDir, `postgres-${binaries.major}`));
  const place = enterableDataDir(chosen, account);
  return { binaries, dataDir: place, account: postgresAccount(place), durable };
}

async function createDatabase(port: number, password: string): Promise<void> {
  const client = new pg.Client({ connectionString: connectionUrl(port, password, "postgres") });
  await client.connect();
  try {
    const { rowCount } = await client.query("select from pg_database where datname = 'pawl'");
    if (rowCount === 0) await client.query("create database pawl");
  } finally {
    await client.end();
  }
}
