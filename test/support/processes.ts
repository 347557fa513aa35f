import { execFileSync } from "node:child_process";
import { commandOf } from "../../scripts/support/processes.ts";

/** An ended process that nobody has collected yet counts as ended. */
export function isRunning(pid: number): boolean {
  return Boolean(commandOf(pid));
}

/** Processes whose parent is `parent` and whose command line holds `word`. */
export function childrenOf(parent: number, word: string): number[] {
  return listProcesses()
    .filter((process) => process.parent === parent && process.command.includes(word))
    .map(({ pid }) => pid);
}

export function listProcesses(): { pid: number; parent: number; command: string }[] {
  const lines = execFileSync("ps", ["-A", "-o", "pid=,ppid=,args="], { encoding: "utf8" }).split("\n");
  return lines.flatMap((line) => {
    const found = /^\s*(\d+)\s+(\d+)\s+(.*)$/.exec(line);
    return found ? [{ pid: Number(found[1]), parent: Number(found[2]), command: found[3] ?? "" }] : [];
  });
}
