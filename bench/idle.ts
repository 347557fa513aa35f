/**
 * `npm run bench:idle [-- minutes]`: W5, what an idle day asks of the database and of Workers KV. The worker in Miniflare ticks
 * 1,440 times while the database's clock is moved a minute before each; whatever reaches the gateway is counted. First with
 * nothing live, then with 1,000 runs that sleep for 30 days; with the agenda and without.
 */
import { chmodSync, mkdtempSync, rmSync } from "node:fs";
import { cpus, tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import pg from "pg";
import { startGateway } from "../scripts/gateway.ts";
import { migrate } from "../scripts/migrate.ts";
import { startPostgres } from "../scripts/postgres.ts";
import { startFaultyGateway } from "../test/support/faulty-gateway.ts";
import { type Host, startHost, TOKEN } from "./host.ts";

const MINUTE_MS = 60_000;
const DAY_MS = 24 * 60 * MINUTE_MS;
const SLEEPERS = 1_000;

/** What one day came to. */
interface Day {
  readonly requests: number;
  readonly statements: number;
  /** Minutes in which the database was asked for anything. */
  readonly awake: number;
}

const minutes = Number(process.argv[2] ?? DAY_MS / MINUTE_MS);
const folder = mkdtempSync(join(tmpdir(), "pawl-bench-"));
chmodSync(folder, 0o755);
const postgres = await startPostgres({ dataDir: join(folder, "postgres") });
const gateway = await startGateway();
const counting = await startFaultyGateway(gateway.host, { remembers: "all" });
const pool = new pg.Pool({ connectionString: postgres.url, max: 2 });
pool.on("error", () => {});
let movedMs = 0;
try {
  await migrate(postgres.url);
  console.log(`${minutes} ticks, ${cpus().length} cores (${cpus()[0]?.model}), Node ${process.version}\n`);
  console.log("| | requests to the database | statements | minutes with any |\n|---|---|---|---|");
  for (const sleepers of [0, SLEEPERS]) {
    for (const hasAgenda of [true, false]) {
      const { requests, statements, awake } = await measure(sleepers, hasAgenda);
      const what = sleepers === 0 ? "nothing live" : `${sleepers} far-off sleepers`;
      console.log(
        `| ${what}, ${hasAgenda ? "with" : "without"} the agenda | ${requests} | ${statements} | ${awake} |`,
      );
    }
  }
} finally {
  await pool.end();
  await counting.stop();
  await gateway.stop();
  await postgres.stop("immediate");
  rmSync(folder, { recursive: true, force: true });
}

async function measure(sleepers: number, hasAgenda: boolean): Promise<Day> {
  await pool.query("truncate pawl.runs, pawl.journal, pawl.timers, pawl.ticks");
  const host = await startHost("miniflare", postgres.url, counting.host, { hasAgenda });
  try {
    await startSleepers(host, sleepers);
    // What was begun is over, and the cron has seen that nobody changes anything any more.
    for (let i = 0; i < 10; i++) await tick(host);
    await counting.reset();
    let awake = 0;
    for (let i = 0; i < minutes; i++) {
      const before = counting.answered.length;
      await tick(host);
      if (counting.answered.length > before) awake += 1;
    }
    const statements = counting.answered.reduce((sum, { queries }) => sum + queries.length, 0);
    return { requests: counting.answered.length, statements, awake };
  } finally {
    await host.stop();
  }
}

/** A minute goes by, for the database and for the cron. */
async function tick(host: Host): Promise<void> {
  movedMs += MINUTE_MS;
  await pool.query(`create or replace function pawl.clock() returns timestamptz language sql volatile as
    $$ select clock_timestamp() + ${movedMs} * interval '1 ms' $$`);
  await host.tick(new Date(Date.now() + movedMs));
}

async function startSleepers(host: Host, count: number): Promise<void> {
  for (let left = count; left > 0; left -= 500) {
    const runs = Array.from({ length: Math.min(left, 500) }, () => ({ input: { ms: 30 * DAY_MS } }));
    const response = await fetch(`${host.url}/api/workflows/nap/runs:batch`, {
      method: "POST",
      headers: { authorization: `Bearer ${TOKEN}`, "content-type": "application/json" },
      body: JSON.stringify({ runs }),
    });
    if (!response.ok) throw new Error(`Starting runs was answered with ${response.status}.`);
  }
  for (;;) {
    const { rows } = await pool.query(
      "select count(*)::int as left from pawl.runs where status <> 'waiting'",
    );
    if (rows[0].left === 0) return;
    await sleep(50);
  }
}
