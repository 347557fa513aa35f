import { commandOf, parentOf } from "../support/processes.ts";
import type { Parts } from "./parts.ts";

/** A signal is the wish to stop: exit code 0. A second one will not wait; the watchdog does the rest. */
export function endOnSignals(parts: Parts): void {
  let asked = false;
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    process.on(signal, () => {
      if (asked) process.exit(0);
      asked = true;
      void parts.end(0);
    });
  }
  if (process.env.npm_lifecycle_event !== undefined) endWithParent(parts);
}

/** npm passes signals on, but when it is killed itself nobody tells us. It runs scripts through a shell. */
function endWithParent(parts: Parts): void {
  const shell = process.ppid;
  const npm = commandOf(shell)?.includes("sh\0-c") ? parentOf(shell) : undefined;
  setInterval(() => {
    const orphaned = process.ppid !== shell || (npm !== undefined && parentOf(shell) !== npm);
    if (orphaned) void parts.end(0);
  }, 1_000).unref();
}
