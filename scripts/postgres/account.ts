/** Postgres refuses to run as root, so as root it runs under an unprivileged account that already exists. */
import { spawnSync } from "node:child_process";
import { lstatSync, readFileSync } from "node:fs";

export interface Account {
  readonly uid: number;
  readonly gid: number;
}

/** Undefined: run as whoever we are. The owner of an existing data directory comes first. */
export function postgresAccount(dataDir: string): Account | undefined {
  if (process.getuid?.() !== 0) return undefined;
  const owner = lstatSync(dataDir, { throwIfNoEntry: false });
  if (owner !== undefined && owner.uid !== 0) return { uid: owner.uid, gid: owner.gid };
  const accounts = readFileSync("/etc/passwd", "utf8")
    .split("\n")
    .map((line) => line.split(":"));
  for (const name of ["postgres", "nobody"]) {
    const [, , uid, gid] = accounts.find(([entry]) => entry === name) ?? [];
    if (uid !== undefined && gid !== undefined) return { uid: Number(uid), gid: Number(gid) };
  }
  throw new Error(
    "Postgres does not run as root, and /etc/passwd has neither 'postgres' nor 'nobody': run as an ordinary user, or set DATABASE_URL",
  );
}

/** Asks the system rather than reading mode bits: access lists and mounts count too. */
export function canEnter(account: Account | undefined, folder: string): boolean {
  if (account === undefined) return true;
  const test = spawnSync("/bin/sh", ["-c", 'test -r "$0" && test -x "$0"', folder], { ...account, cwd: "/" });
  return test.status === 0;
}
