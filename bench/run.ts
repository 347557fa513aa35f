/**
 * `npm run bench`: W1 and W2 under `wrangler dev` and in plain Miniflare, interleaved, on one Postgres with
 * its default durability. Prints medians with their spread; absolute figures belong to this machine and hour.
 */
import { chmodSync, mkdtempSync, rmSync } from "node:fs";
import { cpus, tmpdir } from "node:os";
import { join } from "node:path";
import pg from "pg";
import { startGateway } from "../scripts/gateway.ts";
import { migrate } from "../scripts/migrate.ts";
import { startPostgres } from "../scripts/postgres.ts";
import { type HostName, startHost } from "./host.ts";
import { w1, w2 } from "./workloads.ts";

const rounds = Number(process.argv[2] ?? 3);
const HOSTS: readonly HostName[] = ["wrangler dev", "miniflare"];

const folder = mkdtempSync(join(tmpdir(), "pawl-bench-"));
chmodSync(folder, 0o755);
const postgres = await startPostgres({ dataDir: join(folder, "postgres") });
const gateway = await startGateway();
await migrate(postgres.url);
const pool = new pg.Pool({ connectionString: postgres.url, max: 2 });
pool.on("error", () => {});
const figures = new Map<string, number[]>();
try {
  for (let round = 0; round < rounds; round++) {
    // One at a time: even an idle workerd and its wrangler take their share of two cores.
    for (const name of HOSTS) {
      const host = await startHost(name, postgres.url, gateway.host);
      const bed = { url: host.url, pool };
      // A warm-up, and what autovacuum would do within a minute.
      await w2(bed);
      await pool.query("vacuum analyze");
      for (let i = 0; i < 7; i++) note(`W1 ms per step, ${name}`, await w1(bed));
      note(`W2 steps/s, ${name}`, await w2(bed));
      await host.stop();
    }
  }
} finally {
  await pool.end();
  await gateway.stop();
  await postgres.stop();
  rmSync(folder, { recursive: true, force: true });
}

console.log(`${rounds} rounds, ${cpus().length} cores (${cpus()[0]?.model}), Node ${process.version}\n`);
console.log("| | median | lowest | highest |\n|---|---|---|---|");
for (const [name, values] of figures) {
  const sorted = values.toSorted((a, b) => a - b);
  const shown = [sorted[Math.floor(sorted.length / 2)], sorted[0], sorted.at(-1)];
  console.log(
    `| ${name} | ${shown.map((value) => (value ?? 0).toFixed(value && value > 100 ? 0 : 2)).join(" | ")} |`,
  );
}

function note(name: string, value: number): void {
  figures.set(name, [...(figures.get(name) ?? []), value]);
}
