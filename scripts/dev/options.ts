/** What `npm run dev` can be told: flags first, then the environment. */
import { existsSync } from "node:fs";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { readDatabaseUrl } from "../support/database.ts";
import { freePort, isFree } from "../support/ports.ts";

export interface DevOptions {
  readonly project: string;
  /** Holds the database, the token and the local state of the queues. */
  readonly stateDir: string;
  readonly port: number;
  readonly postgresPort: number | undefined;
  /** A database of the user's, in place of one of our own. */
  readonly databaseUrl: string | undefined;
}

const project = join(import.meta.dirname, "../..");
const usualPort = 8787;

export async function readOptions(): Promise<DevOptions> {
  const { values } = parseArgs({
    options: { port: { type: "string" }, "pg-port": { type: "string" }, "data-dir": { type: "string" } },
  });
  if (!existsSync(join(project, "node_modules/wrangler")))
    throw new Error("run npm ci first: wrangler is not installed");
  const port = readPort("--port", values.port);
  const postgresPort = readPort("--pg-port", values["pg-port"]);
  for (const wanted of [port, postgresPort]) {
    if (wanted !== undefined && !(await isFree(wanted)))
      throw new Error(`port ${wanted} is taken: choose another one`);
  }
  return {
    project,
    stateDir: resolve(values["data-dir"] ?? join(project, ".pawl")),
    port: port ?? (await freePort(usualPort)),
    postgresPort,
    databaseUrl: readDatabaseUrl(),
  };
}

function readPort(flag: string, value: string | undefined): number | undefined {
  if (value === undefined) return undefined;
  const port = Number(value);
  if (Number.isInteger(port) && port > 0 && port < 65_536) return port;
  throw new Error(`${flag} ${value}: give a port number from 1 to 65535`);
}
