/** `bench/worker.ts` on a durable Postgres behind the gateway, under `wrangler dev` or in plain Miniflare. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { convertV4MiniflareOptions, Miniflare } from "miniflare";
import { bundleWorker } from "../scripts/support/bundle.ts";
import { spawnGuarded, stopGroup } from "../scripts/support/guard.ts";
import { freePort } from "../scripts/support/ports.ts";

export type HostName = "wrangler dev" | "miniflare";

export interface Host {
  readonly url: string;
  /** What the cron trigger does, at that time. */
  tick(at?: Date): Promise<void>;
  stop(): Promise<void>;
}

const CRON = "* * * * *";

export const TOKEN = "bench-token-0123456789";

export interface HostOptions {
  /** False: every tick asks the database. Always true under `wrangler dev`. */
  readonly hasAgenda?: boolean;
}

export async function startHost(
  name: HostName,
  databaseUrl: string,
  gateway: string,
  { hasAgenda = true }: HostOptions = {},
): Promise<Host> {
  const vars = {
    DATABASE_URL: databaseUrl,
    NEON_LOCAL: gateway,
    PAWL_ADMIN_TOKEN: TOKEN,
    PAWL_CONSUMER_WAIT_MS: "0",
  };
  const host = name === "miniflare" ? await inMiniflare(vars, hasAgenda) : await underWrangler(vars);
  await healthy(host.url);
  return host;
}

async function underWrangler(vars: Record<string, string>): Promise<Host> {
  const folder = mkdtempSync(join(tmpdir(), "pawl-bench-"));
  const envFile = join(folder, "env");
  writeFileSync(
    envFile,
    Object.entries(vars)
      .map(([key, value]) => `${key}="${value}"\n`)
      .join(""),
    { mode: 0o600 },
  );
  const port = await freePort();
  const child = spawnGuarded(
    process.execPath,
    [
      "node_modules/wrangler/bin/wrangler.js",
      "dev",
      ...["--config", "bench/wrangler.toml", "--env-file", envFile, "--persist-to", folder],
      ...["--ip", "127.0.0.1", "--port", String(port), "--inspector-port", "0", "--log-level", "error"],
      "--show-interactive-dev-session=false",
    ],
    {
      stdio: ["ignore", "ignore", "inherit"],
      // The same as `npm run dev` sets, which says why.
      env: {
        ...process.env,
        X_LOCAL_OBSERVABILITY: "false",
        WRANGLER_SEND_METRICS: "false",
        CLOUDFLARE_CF_FETCH_ENABLED: "false",
      },
      lastSignal: "SIGTERM",
    },
  );
  return {
    url: `http://127.0.0.1:${port}`,
    async tick() {
      await fetch(`http://127.0.0.1:${port}/cdn-cgi/local/scheduled?cron=${encodeURIComponent(CRON)}`);
    },
    async stop() {
      await stopGroup(child, "SIGTERM");
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

async function inMiniflare(bindings: Record<string, string>, hasAgenda: boolean): Promise<Host> {
  const queue = "pawl-wake-ups";
  const mf = new Miniflare(
    convertV4MiniflareOptions({
      name: "pawl-bench",
      modules: [{ type: "ESModule", path: "worker.mjs", contents: await bundleWorker("bench/worker.ts") }],
      compatibilityDate: compatibilityDate(),
      compatibilityFlags: [
        "nodejs_compat",
        "queue_consumer_no_wait_for_wait_until",
        "no_handle_cross_request_promise_resolution",
      ],
      unsafeTriggerHandlers: true,
      host: "127.0.0.1",
      port: await freePort(),
      bindings,
      queueProducers: { WAKE_UPS: queue },
      ...(hasAgenda && { kvNamespaces: ["AGENDA"] }),
      queueConsumers: { [queue]: { maxBatchSize: 30, maxBatchTimeout: 0 } },
    }),
  );
  const url = await mf.ready;
  return {
    url: url.origin,
    async tick(at = new Date()) {
      await (await mf.getWorker()).scheduled({ cron: CRON, scheduledTime: at });
    },
    stop: () => mf.dispose(),
  };
}

function compatibilityDate(): string {
  return /^compatibility_date = "(.*)"$/m.exec(readFileSync("bench/wrangler.toml", "utf8"))?.[1] ?? "";
}

async function healthy(url: string): Promise<void> {
  for (const deadline = Date.now() + 60_000; Date.now() < deadline; await sleep(100)) {
    const answer = await fetch(`${url}/healthz`).catch(() => undefined);
    if (answer?.ok) return;
  }
  throw new Error(`The worker at ${url} does not get healthy.`);
}
