/** Processor time of a process and all its descendants, those that have ended included. Linux only. */
import { readdirSync, readFileSync } from "node:fs";

/** The kernel's unit in `/proc/<pid>/stat`: a hundredth of a second on every platform that Node runs on. */
const TICK_MS = 10;

/** In milliseconds; undefined where there is no `/proc`. */
export function cpuOf(pid: number): number | undefined {
  if (process.platform !== "linux") return undefined;
  const stats = readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .flatMap(readStat);
  return sum(stats, pid) * TICK_MS;
}

interface Stat {
  readonly pid: number;
  readonly parent: number;
  /** With that of the children that have ended and were waited for. */
  readonly ticks: number;
}

function sum(stats: readonly Stat[], pid: number): number {
  const own = stats.find((stat) => stat.pid === pid)?.ticks ?? 0;
  const children = stats.filter(({ parent }) => parent === pid);
  return children.reduce((total, child) => total + sum(stats, child.pid), own);
}

/** Nothing for a process that has ended meanwhile. */
function readStat(name: string): Stat[] {
  try {
    const text = readFileSync(`/proc/${name}/stat`, "utf8");
    // The second field is a name in brackets that may hold anything.
    const [, parent, ...rest] = text.slice(text.lastIndexOf(")") + 2).split(" ");
    const ticks = rest.slice(9, 13).reduce((total, field) => total + Number(field), 0);
    return [{ pid: Number(name), parent: Number(parent), ticks }];
  } catch {
    return [];
  }
}
