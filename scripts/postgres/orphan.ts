/** A server that a killed owner left behind on our data directory is stopped before we start our own. */
import { readFileSync, realpathSync, rmSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import pg from "pg";
import { commandOf } from "../support/processes.ts";
import { connectionUrl } from "./url.ts";

const patience = 10_000;

export async function stopOrphan(dataDir: string, password: string): Promise<void> {
  let asked = false;
  for (const deadline = Date.now() + patience; Date.now() < deadline; await sleep(50)) {
    const found = readPidFile(dataDir);
    if (found === undefined) return;
    const command = commandOf(found.pid);
    if (command === undefined) return;
    // In a restarted container the number is another program's, and Postgres would refuse for its sake.
    if (!command.includes("postgres")) return rmSync(`${dataDir}/postmaster.pid`, { force: true });
    // It may be another server: only one that serves this directory is ours.
    if (!asked && (await servedDirectory(found.port, password)) === realpathSync(dataDir)) {
      process.kill(found.pid, "SIGINT");
      asked = true;
    }
  }
  throw new Error(`another Postgres still runs on ${dataDir}: stop it first`);
}

async function servedDirectory(port: number, password: string): Promise<string | undefined> {
  const client = new pg.Client({
    connectionString: connectionUrl(port, password, "postgres"),
    connectionTimeoutMillis: 1_000,
  });
  client.on("error", () => {});
  try {
    await client.connect();
    const { rows } = await client.query<{ data_directory: string }>("show data_directory");
    return rows[0] && realpathSync(rows[0].data_directory);
  } catch {
    return undefined;
  } finally {
    await client.end().catch(() => {});
  }
}

function readPidFile(dataDir: string): { pid: number; port: number } | undefined {
  try {
    const lines = readFileSync(`${dataDir}/postmaster.pid`, "utf8").split("\n");
    return { pid: Number(lines[0]), port: Number(lines[3]) };
  } catch {
    return undefined;
  }
}
