/** Spawns processes that cannot outlive this one: each in its own group, each known to the watchdog. */
import { type ChildProcess, type SpawnOptions, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

/** Without a signal: forget the process. */
export interface WatchdogMessage {
  readonly pid: number;
  readonly signal?: NodeJS.Signals;
}

export interface GuardedOptions extends SpawnOptions {
  /** What the watchdog sends first to the group when this process is gone. */
  readonly lastSignal: NodeJS.Signals;
}

/** How long the rest of a group has to clean up after its first process. */
const grace = 300;
let watchdog: ChildProcess | undefined;

export function spawnGuarded(
  command: string,
  args: readonly string[],
  options: GuardedOptions,
): ChildProcess {
  const { lastSignal, ...rest } = options;
  tellWatchdog();
  const child = spawn(command, args, { ...rest, detached: true });
  const pid = child.pid;
  if (pid !== undefined) {
    tellWatchdog({ pid, signal: lastSignal });
    child.once("exit", () => setTimeout(() => bury(pid), grace).unref());
  }
  return child;
}

/** Resolves when nothing of the group is left. */
export async function stopGroup(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  const { pid } = child;
  if (pid === undefined) return;
  if (child.exitCode === null && child.signalCode === null) {
    const ended = once(child, "exit");
    signalGroup(pid, signal);
    await ended;
  }
  await sleep(grace);
  bury(pid);
}

/** False when no process of the group is left. */
export function signalGroup(pid: number, signal: NodeJS.Signals | 0): boolean {
  try {
    process.kill(-pid, signal);
    return true;
  } catch {
    return false;
  }
}

function bury(pid: number): void {
  signalGroup(pid, "SIGKILL");
  tellWatchdog({ pid });
}

function tellWatchdog(message?: WatchdogMessage): void {
  watchdog ??= startWatchdog();
  if (message !== undefined && watchdog.connected) watchdog.send(message, () => {});
}

function startWatchdog(): ChildProcess {
  const { NODE_OPTIONS: _, ...env } = process.env;
  const script = join(import.meta.dirname, "watchdog.ts");
  const child = spawn(process.execPath, [script], {
    detached: true,
    stdio: ["ignore", "ignore", "ignore", "ipc"],
    cwd: "/",
    env,
  });
  child.on("error", () => {});
  child.once("exit", () => {
    if (watchdog === child) watchdog = undefined;
  });
  child.unref();
  child.channel?.unref();
  return child;
}
