/** `wrangler dev` as a child without a terminal: silent until the worker answers, then passed on. */
import { once } from "node:events";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { Readable } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import { signalGroup, spawnGuarded } from "../support/guard.ts";

export interface WorkerOptions {
  readonly project: string;
  readonly stateDir: string;
  readonly port: number;
  readonly envFile: string;
  readonly onExit: (reason: string) => void;
}

export interface RunningWorker {
  readonly url: string;
  /** Resolves when it answers at /healthz. */
  ready(): Promise<void>;
  stop(): Promise<void>;
}

const readyPatience = 60_000;

export function startWorker({ project, stateDir, port, envFile, onExit }: WorkerOptions): RunningWorker {
  const url = `http://127.0.0.1:${port}`;
  const ownVariables = join(project, ".dev.vars");
  const args = [
    join(project, "node_modules/wrangler/bin/wrangler.js"),
    "dev",
    ...["--ip", "127.0.0.1", "--port", String(port), "--inspector-port", "0"],
    ...["--persist-to", join(stateDir, "wrangler")],
    // Once an --env-file is given, wrangler reads .dev.vars no more.
    ...(existsSync(ownVariables) ? ["--env-file", ownVariables] : []),
    ...["--env-file", envFile, "--show-interactive-dev-session=false", "--log-level=log"],
  ];
  const child = spawnGuarded(process.execPath, args, {
    cwd: project,
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...process.env, ...quietly(stateDir) },
    lastSignal: "SIGTERM",
  });
  const held = holdOutput(child.stdout, child.stderr);
  let stopping = false;
  child.once("exit", (code, signal) => {
    if (stopping) return;
    held.pass();
    onExit(`the worker (wrangler dev) ended by itself (${signal ?? `exit code ${code}`})`);
  });

  return {
    url,
    async ready() {
      let last = "no answer";
      for (const deadline = Date.now() + readyPatience; Date.now() < deadline; await sleep(50)) {
        last = await ask(`${url}/healthz`);
        if (last === "200") return held.drop();
      }
      held.pass();
      throw new Error(
        `the worker is not healthy after ${readyPatience / 1000} s: GET /healthz gives ${last}`,
      );
    },
    async stop() {
      stopping = true;
      if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
      const ended = once(child, "exit");
      signalGroup(child.pid, "SIGTERM");
      await ended;
      // The first process of the group ends at once; the others may want a moment, workerd to drain.
      await sleep(250);
      signalGroup(child.pid, "SIGKILL");
    },
  };
}

/** No telemetry, nothing outside the state folder, no look-up of where on earth this machine is. */
function quietly(stateDir: string): Record<string, string> {
  return {
    WRANGLER_SEND_METRICS: "false",
    WRANGLER_SEND_ERROR_REPORTS: "false",
    WRANGLER_HIDE_BANNER: "true",
    WRANGLER_WRITE_LOGS: "false",
    WRANGLER_REGISTRY_PATH: join(stateDir, "wrangler/registry"),
    CLOUDFLARE_CF_FETCH_ENABLED: "false",
  };
}

/** Keeps the lines back until told what to do with them: a failure shows them, a good start does not. */
function holdOutput(...streams: (Readable | null)[]) {
  let lines: string[] | undefined = [];
  const drop = () => {
    lines = undefined;
  };
  const pass = () => {
    for (const line of lines ?? []) process.stderr.write(`${line}\n`);
    drop();
  };
  for (const stream of streams) {
    if (stream === null) continue;
    createInterface({ input: stream }).on("line", (line) => {
      if (line.includes("GET /healthz")) return;
      if (lines === undefined) process.stdout.write(`${line}\n`);
      else lines.push(line);
      // What does not build is better seen now than after a minute.
      if (line.includes("[ERROR]")) pass();
    });
  }
  return { drop, pass };
}

async function ask(url: string): Promise<string> {
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(5_000) });
    return response.ok ? "200" : `${response.status} ${(await response.text()).slice(0, 500)}`;
  } catch {
    return "no answer";
  }
}
