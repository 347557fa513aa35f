/** `npm run build`: makes the dashboard, bundles the worker into dist/ as a deployment would, and keeps watch over its size. */
import { readdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { runCommand } from "./support/command.ts";
import { buildDashboard } from "./support/dashboard.ts";
import { project, runWrangler } from "./support/wrangler.ts";

/** A cold start reads all of it, and the platform's limit on the free plan is not far above. */
const limit = 400 * 1024;

await runCommand(async () => {
  await buildDashboard();
  const folder = join(project, "dist");
  rmSync(folder, { recursive: true, force: true });
  await runWrangler(["deploy", "--dry-run", "--outdir", folder], { quiet: true });
  const size = gzippedSize(folder);
  const words = `worker bundle: ${kilobytes(size)} gzipped (limit ${kilobytes(limit)})`;
  if (size > limit) throw new Error(`${words}: find what grew with npx esbuild --analyze`);
  console.log(words);
});

function gzippedSize(folder: string): number {
  return readdirSync(folder, { recursive: true, encoding: "utf8" })
    .filter((name) => /\.(js|mjs|wasm)$/.test(name))
    .reduce((sum, name) => sum + gzipSync(readFileSync(join(folder, name))).length, 0);
}

function kilobytes(bytes: number): string {
  return `${(bytes / 1024).toFixed(1)} KB`;
}
