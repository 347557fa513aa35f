/**
 * `npm run bench:load [-- finished [sleeping]]`: how the hot statements fare beside a million finished and a hundred
 * thousand sleeping runs, and how the worker bears ten thousand timers at once. Ends with an error when a statement reads
 * a large table as a whole or takes longer than it may, when the timers take too long or callers feel them.
 */
import { chmodSync, mkdtempSync, rmSync } from "node:fs";
import { cpus, tmpdir } from "node:os";
import { join } from "node:path";
import pg from "pg";
import { startGateway } from "../scripts/gateway.ts";
import { migrate } from "../scripts/migrate.ts";
import { startPostgres } from "../scripts/postgres.ts";
import { startHost } from "./host.ts";
import { type Measured, measure, type Workload } from "./load/measure.ts";
import { seed } from "./load/seed.ts";
import { drainTimers } from "./load/timers.ts";
import { workloads } from "./load/workloads.ts";

const LIMIT_MS = 20;
const DRAIN_LIMIT_S = 60;
const SLOWER_LIMIT = 2;

const [finished = 1_000_000, sleeping = 100_000] = process.argv.slice(2).map(Number);
const folder = mkdtempSync(join(tmpdir(), "pawl-bench-"));
chmodSync(folder, 0o755);
const postgres = await startPostgres({ dataDir: join(folder, "postgres") });
const client = new pg.Client({ connectionString: postgres.url });
const misses: string[] = [];
try {
  await migrate(postgres.url);
  await client.connect();
  const begun = Date.now();
  await seed(client, { finished, sleeping });
  const { rows } = await client.query("select pg_size_pretty(pg_database_size(current_database())) as size");
  console.log(
    `${finished} finished and ${sleeping} sleeping runs, ${rows[0].size}, seeded in ${Math.round((Date.now() - begun) / 1_000)} s; ` +
      `${cpus().length} cores (${cpus()[0]?.model}), Node ${process.version}\n`,
  );
  console.log("| | median ms | p95 ms | finds its rows by |\n|---|---|---|---|");
  const db = {
    execute: async (statements: readonly { text: string; params: readonly unknown[] }[]) => {
      const answers = [];
      for (const { text, params } of statements) answers.push((await client.query(text, [...params])).rows);
      return answers;
    },
  };
  for (const workload of await workloads(db)) {
    const measured = await measure(client, workload);
    console.log(
      `| ${measured.name} | ${shown(measured.medianMs)} | ${shown(measured.p95Ms)} | ${measured.scans.join(", ")} |`,
    );
    misses.push(...missesOf(workload, measured));
  }
  await timers();
} finally {
  await client.end();
  await postgres.stop("immediate");
  rmSync(folder, { recursive: true, force: true });
}

console.log(misses.length === 0 ? "\nEverything is within its limits." : `\n${misses.join("\n")}`);
if (misses.some((miss) => miss.startsWith("MISS"))) process.exitCode = 1;

async function timers(): Promise<void> {
  const gateway = await startGateway();
  const host = await startHost("miniflare", postgres.url, gateway.host);
  try {
    const { seconds, latencies } = await drainTimers(host, client);
    console.log(`\n10,000 timers that were due at once were over after ${shown(seconds)} s.\n`);
    if (seconds > DRAIN_LIMIT_S) misses.push(`MISS: the timers took longer than ${DRAIN_LIMIT_S} s`);
    console.log(
      "| meanwhile | idle, median and p95 ms | during, median and p95 ms | ratio |\n|---|---|---|---|",
    );
    for (const { request, idle, busy } of latencies) {
      const [median, p95] = [busy.median / idle.median, busy.p95 / idle.p95];
      const pair = (one: { median: number; p95: number }) => `${shown(one.median)}, ${shown(one.p95)}`;
      console.log(`| ${request} | ${pair(idle)} | ${pair(busy)} | ${shown(median)}, ${shown(p95)} |`);
      if (median > SLOWER_LIMIT)
        misses.push(`MISS: "${request}" took ${shown(median)} times as long meanwhile`);
    }
  } finally {
    await host.stop();
    await gateway.stop();
  }
}

function missesOf({ excused }: Workload, { name, medianMs, wholeTables }: Measured): string[] {
  const word = excused === undefined ? "MISS" : `allowed (${excused})`;
  const whole = wholeTables.map((table) => `${word}: "${name}" reads the whole table ${table}`);
  return medianMs <= LIMIT_MS
    ? whole
    : [...whole, `${word}: "${name}" takes ${shown(medianMs)} ms, more than ${LIMIT_MS}`];
}

function shown(ms: number): string {
  return ms.toFixed(ms >= 100 ? 0 : 1);
}
