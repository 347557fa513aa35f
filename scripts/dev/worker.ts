/** `wrangler dev` as a child without a terminal: silent until the worker answers, then passed on. */
import type { ChildProcess } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { spawnGuarded, stopGroup } from "../support/guard.ts";
import { Output } from "./output.ts";

export interface WorkerOptions {
  readonly project: string;
  readonly stateDir: string;
  readonly port: number;
  readonly envFile: string;
  readonly onExit: (reason: string) => void;
}

const readyPatience = 60_000;
const mendPatience = 3_000;

export class Worker {
  readonly url: string;
  readonly #options: WorkerOptions;
  readonly #output = new Output((line) => {
    if (line.includes("runtime crashed unexpectedly")) void this.#mend();
  });
  #child: ChildProcess;
  #stopping = false;
  #mending = false;

  constructor(options: WorkerOptions) {
    this.#options = options;
    this.url = `http://127.0.0.1:${options.port}`;
    this.#child = this.#launch();
  }

  /** Resolves when it answers at /healthz. */
  async ready(): Promise<void> {
    const last = await this.#health(readyPatience);
    if (last === "200") return this.#output.drop();
    this.#output.pass();
    throw new Error(`the worker is not healthy after ${readyPatience / 1000} s: GET /healthz gives ${last}`);
  }

  async stop(): Promise<void> {
    this.#stopping = true;
    await stopGroup(this.#child, "SIGTERM");
  }

  #launch(): ChildProcess {
    const { project, stateDir, onExit } = this.#options;
    const child = spawnGuarded(process.execPath, wranglerArguments(this.#options), {
      cwd: project,
      stdio: ["ignore", "pipe", "pipe"],
      env: { ...process.env, ...quietly(stateDir) },
      lastSignal: "SIGTERM",
    });
    this.#output.read(child.stdout, child.stderr);
    child.once("exit", (code, signal) => {
      if (this.#stopping || this.#mending) return;
      this.#output.pass();
      onExit(`the worker (wrangler dev) ended by itself (${signal ?? `exit code ${code}`})`);
    });
    return child;
  }

  /** Wrangler brings a crashed workerd back, but when it was the one that proxies, nothing answers again. */
  async #mend(): Promise<void> {
    if (this.#stopping || this.#mending) return;
    this.#mending = true;
    if ((await this.#health(mendPatience)) !== "200" && !this.#stopping) {
      await stopGroup(this.#child, "SIGTERM");
      this.#output.hold();
      if (!this.#stopping) this.#child = this.#launch();
      this.#mending = false;
      await this.ready().catch(({ message }: Error) => this.#options.onExit(message));
    }
    this.#mending = false;
  }

  async #health(patience: number): Promise<string> {
    let last = "no answer";
    for (const deadline = Date.now() + patience; Date.now() < deadline && !this.#stopping; await sleep(100)) {
      last = await ask(`${this.url}/healthz`, Math.min(patience, 5_000));
      if (last === "200") break;
    }
    return last;
  }
}

function wranglerArguments({ project, stateDir, port, envFile }: WorkerOptions): string[] {
  const ownVariables = join(project, ".dev.vars");
  return [
    join(project, "node_modules/wrangler/bin/wrangler.js"),
    "dev",
    ...["--ip", "127.0.0.1", "--port", String(port), "--inspector-port", "0"],
    ...["--persist-to", join(stateDir, "wrangler")],
    // Once an --env-file is given, wrangler reads .dev.vars no more.
    ...(existsSync(ownVariables) ? ["--env-file", ownVariables] : []),
    ...["--env-file", envFile, "--show-interactive-dev-session=false", "--log-level=log"],
  ];
}

/** No telemetry, nothing outside the state folder, no look-up of where on earth this machine is. */
function quietly(stateDir: string): Record<string, string> {
  return {
    WRANGLER_SEND_METRICS: "false",
    WRANGLER_SEND_ERROR_REPORTS: "false",
    WRANGLER_HIDE_BANNER: "true",
    WRANGLER_WRITE_LOGS: "false",
    // Wrangler's local tracing records every invocation: with one per step it doubles the worker's CPU time.
    X_LOCAL_OBSERVABILITY: process.env.X_LOCAL_OBSERVABILITY ?? "false",
    WRANGLER_REGISTRY_PATH: join(stateDir, "wrangler/registry"),
    CLOUDFLARE_CF_FETCH_ENABLED: "false",
  };
}

async function ask(url: string, patience: number): Promise<string> {
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(patience) });
    return response.ok ? "200" : `${response.status} ${(await response.text()).slice(0, 500)}`;
  } catch {
    return "no answer";
  }
}
