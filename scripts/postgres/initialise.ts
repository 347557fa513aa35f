/** Makes a cluster in one piece: in a folder beside, renamed when complete, so a kill leaves no half one. */
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { chownSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { text } from "node:stream/consumers";
import { spawnGuarded } from "../support/guard.ts";
import type { Account } from "./account.ts";
import type { Binaries } from "./binaries.ts";

export interface ClusterPlan {
  readonly binaries: Binaries;
  readonly dataDir: string;
  readonly account: Account | undefined;
  readonly durable: boolean;
}

export async function initialise({ binaries, dataDir, account, durable }: ClusterPlan): Promise<void> {
  if (existsSync(`${dataDir}/PG_VERSION`)) return checkVersion(binaries, dataDir);
  const partial = `${dataDir}.partial`;
  const passwordFile = `${dataDir}.password`;
  rmSync(partial, { recursive: true, force: true });
  mkdirSync(partial, { mode: 0o700 });
  writeFileSync(passwordFile, randomBytes(24).toString("base64url"), { mode: 0o600 });
  for (const path of account ? [partial, passwordFile] : [])
    chownSync(path, account?.uid ?? 0, account?.gid ?? 0);
  const child = spawnGuarded(
    binaries.initdb,
    [
      `--pgdata=${partial}`,
      `--pwfile=${passwordFile}`,
      "--username=postgres",
      "--auth=scram-sha-256",
      "--encoding=UTF8",
      "--no-locale",
      ...(durable ? [] : ["--no-sync"]),
    ],
    { ...account, cwd: "/", stdio: ["ignore", "ignore", "pipe"], lastSignal: "SIGTERM" },
  );
  const [[code], errors] = await Promise.all([once(child, "exit"), child.stderr ? text(child.stderr) : ""]);
  if (code !== 0)
    throw new Error(`initdb failed in ${dataDir}: ${errors.trim().split("\n").slice(0, 3).join(" ")}`);
  renameSync(passwordFile, `${partial}/pawl.password`);
  renameSync(partial, dataDir);
}

export function readPassword(dataDir: string): string {
  return readFileSync(`${dataDir}/pawl.password`, "utf8").trim();
}

function checkVersion(binaries: Binaries, dataDir: string): void {
  const major = Number(readFileSync(`${dataDir}/PG_VERSION`, "utf8"));
  if (major === binaries.major) return;
  throw new Error(
    `${dataDir} was made by Postgres ${major}, and this is ${binaries.major}: choose with PAWL_POSTGRES_BIN, or take another folder`,
  );
}
