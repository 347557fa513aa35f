import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";

export const project = join(import.meta.dirname, "../..");

export interface WranglerOptions {
  /** Its output is shown only when it fails. */
  readonly quiet?: boolean;
}

export async function runWrangler(
  args: readonly string[],
  { quiet = false }: WranglerOptions = {},
): Promise<void> {
  const script = join(project, "node_modules/wrangler/bin/wrangler.js");
  const child = spawn(process.execPath, [script, ...args], {
    cwd: project,
    stdio: quiet ? ["ignore", "pipe", "pipe"] : "inherit",
    env: { ...process.env, WRANGLER_SEND_METRICS: "false" },
  });
  const chunks: Buffer[] = [];
  for (const stream of [child.stdout, child.stderr])
    stream?.on("data", (chunk: Buffer) => chunks.push(chunk));
  const [code] = await once(child, "close");
  if (code === 0) return;
  process.stderr.write(Buffer.concat(chunks));
  throw new Error(`wrangler ${args[0]} failed (exit code ${code})`);
}
