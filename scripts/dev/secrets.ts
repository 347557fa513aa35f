/** Secrets live in files that only their owner reads: a command line is there for everybody to see. */
import { randomBytes } from "node:crypto";
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** The same for every start on one state folder. PAWL_ADMIN_TOKEN wins. */
export function adminToken(stateDir: string): string {
  const file = join(stateDir, "token");
  const given = process.env.PAWL_ADMIN_TOKEN;
  if (given) return given;
  try {
    return readFileSync(file, "utf8").trim();
  } catch {
    const token = randomBytes(24).toString("base64url");
    writeFileSync(file, token, { mode: 0o600 });
    return token;
  }
}

/** Writes what `wrangler --env-file` reads, and returns its path. */
export function writeEnvFile(stateDir: string, variables: Readonly<Record<string, string>>): string {
  const file = join(stateDir, "worker.env");
  const lines = Object.entries(variables).map(([name, value]) => `${name}=${quote(name, value)}\n`);
  // An older file would keep its mode.
  rmSync(file, { force: true });
  writeFileSync(file, lines.join(""), { mode: 0o600 });
  return file;
}

/** The format has no escape for a quote, and expands `$NAME` within every kind of quotes. */
function quote(name: string, value: string): string {
  const mark = ["'", '"', "`"].find((candidate) => !value.includes(candidate));
  if (mark === undefined || value.includes("\n")) throw new Error(`${name} holds what no env file can`);
  return mark + value.replaceAll("$", "\\$") + mark;
}
