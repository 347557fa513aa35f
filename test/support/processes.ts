import { execFileSync } from "node:child_process";
import { readdirSync } from "node:fs";
import { commandOf, parentOf } from "../../scripts/support/processes.ts";

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

/** Children, their children and so on. */
export function descendantsOf(ancestor: number): number[] {
  const all = listProcesses();
  const found = [ancestor];
  for (const parent of found)
    found.push(...all.filter((process) => process.parent === parent).map(({ pid }) => pid));
  return found.slice(1);
}

/** From /proc where there is one: small images have no `ps`. */
export function listProcesses(): { pid: number; parent: number; command: string }[] {
  if (process.platform === "linux") {
    const pids = readdirSync("/proc").filter((name) => /^\d+$/.test(name));
    return pids.map(Number).map((pid) => ({
      pid,
      parent: parentOf(pid) ?? 0,
      command: (commandOf(pid) ?? "").replaceAll("\0", " "),
    }));
  }
  const lines = execFileSync("ps", ["-A", "-o", "pid=,ppid=,args="], { encoding: "utf8" }).split("\n");
  return lines.flatMap((line) => {
    const found = /^\s*(\d+)\s+(\d+)\s+(.*)$/.exec(line);
    return found ? [{ pid: Number(found[1]), parent: Number(found[2]), command: found[3] ?? "" }] : [];
  });
}
