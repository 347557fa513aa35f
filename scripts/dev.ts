/**
 * `npm run dev`: everything Pawl needs, in one process and its children.
 *
 *   Postgres -> gateway -> migrations -> example shop -> dashboard -> wrangler dev -> cron ticker
 *
 *   --port N        of the API; else 8787 or the next that is free
 *   --pg-port N     of Postgres; else any that is free
 *   --data-dir DIR  for all state; else .pawl
 *   DATABASE_URL    a database of your own; then no Postgres is started
 */
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { startShop } from "../examples/shop/server.ts";
import { type DevOptions, readOptions } from "./dev/options.ts";
import { Parts } from "./dev/parts.ts";
import { adminToken, writeEnvFile } from "./dev/secrets.ts";
import { endOnSignals } from "./dev/signals.ts";
import { startTicker } from "./dev/ticker.ts";
import { welcome } from "./dev/welcome.ts";
import { Worker } from "./dev/worker.ts";
import { startGateway } from "./gateway.ts";
import { migrate } from "./migrate.ts";
import { type RunningPostgres, startPostgres } from "./postgres.ts";
import { annotate, claim, release } from "./support/claim.ts";
import { buildDashboard } from "./support/dashboard.ts";

type Database = Pick<RunningPostgres, "url" | "dataDir">;

const parts = new Parts();
endOnSignals(parts);
try {
  await start(await readOptions());
} catch (error) {
  await parts.end(1, error instanceof Error ? error.message : String(error));
}

async function start(options: DevOptions): Promise<void> {
  const { project, stateDir, port } = options;
  const crash = (reason: string) => void parts.end(1, reason);
  mkdirSync(stateDir, { recursive: true });
  occupy(stateDir, `http://127.0.0.1:${port}`);

  const { url: databaseUrl, dataDir } = await findDatabase(options, crash);
  const gateway = isNeon(databaseUrl) ? undefined : parts.add(await startGateway());
  const [shop] = await Promise.all([
    startShop().then((shop) => parts.add(shop)),
    migrate(databaseUrl),
    buildDashboard(),
  ]);
  const token = adminToken(stateDir);
  const envFile = writeEnvFile(stateDir, {
    DATABASE_URL: databaseUrl,
    PAWL_ADMIN_TOKEN: token,
    SHOP_URL: shop.url,
    PAWL_PUBLIC_URL: `http://127.0.0.1:${port}`,
    // Locally one batch is handed over at a time: a consumer that waited for a slow step would hold up all runs.
    PAWL_CONSUMER_WAIT_MS: "0",
    ...(gateway && { NEON_LOCAL: gateway.host }),
  });
  const worker = parts.add(new Worker({ project, stateDir, port, envFile, onExit: crash }));
  parts.add(startTicker(worker.url, crash));
  await worker.ready();
  console.log(welcome({ url: worker.url, token, stateDir, dataDir, seconds: process.uptime() }));
}

function occupy(stateDir: string, url: string): void {
  const file = join(stateDir, "dev.owner");
  const owner = claim(file);
  if (owner !== undefined) {
    const where = owner.note === undefined ? "" : ` at ${owner.note}`;
    throw new Error(
      `npm run dev already runs${where} (process ${owner.pid}): stop it, or take another --data-dir`,
    );
  }
  annotate(file, url);
  parts.add({ stop: async () => release(file) });
}

async function findDatabase(options: DevOptions, onExit: (reason: string) => void): Promise<Database> {
  const { databaseUrl, stateDir, postgresPort } = options;
  if (databaseUrl !== undefined) return { url: databaseUrl, dataDir: stateDir };
  const port = postgresPort === undefined ? {} : { port: postgresPort };
  return parts.add(await startPostgres({ stateDir, ...port, onExit }));
}

/** Neon speaks the driver's protocol itself. */
function isNeon(databaseUrl: string): boolean {
  return new URL(databaseUrl).hostname.endsWith(".neon.tech");
}
