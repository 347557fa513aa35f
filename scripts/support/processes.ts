/** What the system says of a process; undefined when there is none. Small containers have no `ps`. */
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";

/** When it began: process ids are used again, the pair is not. */
export function beginningOf(pid: number): string | undefined {
  return attempt(() => (process.platform === "linux" ? stat(pid)[19] : ps(pid, "lstart=")));
}

export function parentOf(pid: number): number | undefined {
  return attempt(() => Number(process.platform === "linux" ? stat(pid)[1] : ps(pid, "ppid=")));
}

/** Empty for a process that has ended and not been collected by its parent. */
export function commandOf(pid: number): string | undefined {
  return attempt(() =>
    process.platform === "linux" ? readFileSync(`/proc/${pid}/cmdline`, "utf8") : ps(pid, "command="),
  );
}

/** From the third field on: the second is a name in brackets that may hold anything. */
function stat(pid: number): string[] {
  const text = readFileSync(`/proc/${pid}/stat`, "utf8");
  return text.slice(text.lastIndexOf(")") + 2).split(" ");
}

function ps(pid: number, column: string): string {
  return execFileSync("ps", ["-o", column, "-p", String(pid)], { encoding: "utf8" }).trim();
}

function attempt<T>(ask: () => T): T | undefined {
  try {
    return ask();
  } catch {
    return undefined;
  }
}
