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

/** npm passes signals on, but when it is killed itself nobody tells us. */
function endWithParent(parts: Parts): void {
  const parent = process.ppid;
  setInterval(() => {
    if (process.ppid !== parent) void parts.end(0);
  }, 1_000).unref();
}
