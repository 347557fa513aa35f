/**
 * As root, a checkout may lie where the database's account cannot go (/root). What the account needs then
 * lives in a folder of /var/tmp that only root can have made.
 */
import { createHash } from "node:crypto";
import {
  chmodSync,
  cpSync,
  existsSync,
  lchownSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  renameSync,
  rmSync,
} from "node:fs";
import { basename, dirname, join } from "node:path";
import { type Account, canEnter } from "./account.ts";

/** The folder the data goes to: `dataDir` itself wherever possible. */
export function enterableDataDir(dataDir: string, account: Account | undefined): string {
  mkdirSync(dirname(dataDir), { recursive: true });
  if (canEnter(account, dirname(dataDir))) return dataDir;
  return join(shelter(dirname(dataDir), account), basename(dataDir));
}

/** A folder with the content of this `version` that the account can enter: `folder` itself wherever possible. */
export function enterableCopy(folder: string, version: string, account: Account | undefined): string {
  if (account === undefined || canEnter(account, join(folder, "bin"))) return folder;
  const copy = join(shelter(folder, account), version);
  if (existsSync(copy)) return copy;
  const partial = `${copy}.${process.pid}`;
  cpSync(folder, partial, { recursive: true, verbatimSymlinks: true });
  for (const entry of ["", ...readdirSync(partial, { recursive: true, encoding: "utf8" })]) {
    lchownSync(join(partial, entry), account.uid, account.gid);
  }
  try {
    renameSync(partial, copy);
  } catch (error) {
    rmSync(partial, { recursive: true, force: true });
    if (!existsSync(copy)) throw error;
  }
  return copy;
}

function shelter(path: string, account: Account | undefined): string {
  const hash = createHash("sha256").update(path).digest("hex").slice(0, 12);
  const folder = `/var/tmp/pawl-${hash}`;
  const remedy = "move the checkout out of it, run as an ordinary user, or set DATABASE_URL";
  try {
    mkdirSync(folder, { recursive: true });
    const { uid } = lstatSync(folder);
    if (uid !== 0) throw new Error(`${folder} belongs to user ${uid}`);
    chmodSync(folder, 0o755);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new Error(
      `Postgres' account cannot enter ${path}, and /var/tmp is no way out (${reason}): ${remedy}`,
    );
  }
  if (!canEnter(account, folder)) {
    throw new Error(`Postgres' account can enter neither ${path} nor ${folder}: ${remedy}`);
  }
  return folder;
}
