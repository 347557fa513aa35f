/** One postmaster on a data directory: started, found ready, stopped. */
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { closeSync, fchownSync, openSync, readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { spawnGuarded } from "../support/guard.ts";
import type { ClusterPlan } from "./initialise.ts";

export type StopMode = "smart" | "fast" | "immediate";

const signals = { smart: "SIGTERM", fast: "SIGINT", immediate: "SIGQUIT" } as const;
const patience = 10_000;

/** Resolves when it accepts connections; a refusal to start is an error with Postgres' own reason. */
export async function startServer(plan: ClusterPlan, port: number): Promise<ChildProcess> {
  for (const deadline = Date.now() + patience; ; ) {
    const child = spawnPostmaster(plan, port);
    if (await isReady(child, plan.dataDir)) return child;
    const reason = lastFatal(plan.dataDir);
    // Backends of a killed postmaster hold the shared memory until they notice that it is gone.
    if (!/shared memory block/.test(reason) || Date.now() > deadline) throw new Error(reason);
    await sleep(50);
  }
}

export async function stopServer(child: ChildProcess, mode: StopMode): Promise<void> {
  if (hasEnded(child)) return;
  const ended = once(child, "exit");
  const impatience = setTimeout(() => child.kill("SIGQUIT"), patience);
  const despair = setTimeout(() => child.kill("SIGKILL"), 2 * patience);
  child.kill(signals[mode]);
  await ended;
  clearTimeout(impatience);
  clearTimeout(despair);
}

export function hasEnded(child: ChildProcess): boolean {
  return child.exitCode !== null || child.signalCode !== null;
}

function spawnPostmaster({ binaries, dataDir, account, durable }: ClusterPlan, port: number): ChildProcess {
  const settings = [
    "listen_addresses=127.0.0.1",
    `port=${port}`,
    // A socket's path may have at most 107 characters, and nothing here needs one.
    "unix_socket_directories=",
    "timezone=UTC",
    "log_timezone=UTC",
    // synchronous_commit stays on: without it a kill of Postgres alone loses commits it has confirmed.
    ...(durable ? [] : ["fsync=off", "full_page_writes=off"]),
  ];
  const log = openSync(logFile(dataDir), "w", 0o600);
  if (account !== undefined) fchownSync(log, account.uid, account.gid);
  const child = spawnGuarded(
    binaries.postgres,
    ["-D", dataDir, ...settings.flatMap((setting) => ["-c", setting])],
    { ...account, cwd: "/", stdio: ["ignore", log, log], lastSignal: "SIGINT" },
  );
  closeSync(log);
  return child;
}

/** Line 8 of postmaster.pid says "ready", and line 1 says whose file it is. */
async function isReady(child: ChildProcess, dataDir: string): Promise<boolean> {
  while (!hasEnded(child)) {
    const lines = readLines(`${dataDir}/postmaster.pid`);
    if (Number(lines[0]) === child.pid && lines[7]?.trim() === "ready") return true;
    await sleep(10);
  }
  return false;
}

function lastFatal(dataDir: string): string {
  const lines = readLines(logFile(dataDir)).filter((line) => line.trim() !== "");
  const fatal = lines.findLast((line) => /FATAL|PANIC/.test(line)) ?? lines.at(-1) ?? "it said nothing";
  const reason = lines.findLast((line) => /could not bind/.test(line)) ?? fatal;
  return `Postgres did not start: ${reason.replace(/^.*?(FATAL|PANIC|LOG): +/, "")}`;
}

function logFile(dataDir: string): string {
  return `${dataDir}/server.log`;
}

function readLines(file: string): string[] {
  try {
    return readFileSync(file, "utf8").split("\n");
  } catch {
    return [];
  }
}
