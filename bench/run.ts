/**
 * `npm run bench [-- rounds [workloads]]`: W1 to W4 under `wrangler dev` and in plain Miniflare, interleaved, on one Postgres with
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
import { w1, w2, w3, w4 } from "./workloads.ts";

const rounds = Number(process.argv[2] ?? 3);
/** Such as `W1,W4`. W4's steps may be given: `W4:10000`. */
const asked = (process.argv[3] ?? "W1,W2,W3,W4").split(",");
const longSteps = Number(asked.find((name) => name.startsWith("W4:"))?.slice(3) ?? 2_000);
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
      const isAsked = (workload: string) => asked.some((given) => given.startsWith(workload));
      if (isAsked("W1")) for (let i = 0; i < 7; i++) note(`W1 ms per step, ${name}`, await w1(bed));
      if (isAsked("W2")) note(`W2 steps/s, ${name}`, await w2(bed));
      if (isAsked("W3"))
        for (let i = 0; i < 3; i++) note(`W3 ms for 200 side by side, ${name}`, await w3(bed));
      if (isAsked("W4")) {
        const { early, late } = await w4(bed, longSteps);
        note(`W4 ms per step at 10 to 110, ${name}`, early);
        note(`W4 ms per step at the end of ${longSteps}, ${name}`, late);
        note(`W4 late over early, ${name}`, late / early);
      }
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
