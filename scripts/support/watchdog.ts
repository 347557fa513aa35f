/**
 * A process of its own that outlives its parent by a moment: when the parent is gone, however it went
 * (even by SIGKILL), every process group it had asked to watch is told to stop, and killed if it does not.
 */
import { setTimeout as sleep } from "node:timers/promises";
import type { WatchdogMessage } from "./guard.ts";
import { signalGroup } from "./guard.ts";

const patience = 8_000;
const watched = new Map<number, NodeJS.Signals>();

process.on("message", (message: WatchdogMessage) => {
  if (message.signal === undefined) watched.delete(message.pid);
  else watched.set(message.pid, message.signal);
});

// A terminal signals its whole foreground group; the parent decides, and its end is what counts here.
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => {});

process.on("disconnect", async () => {
  let left = [...watched].filter(([pid, signal]) => signalGroup(pid, signal));
  for (const deadline = Date.now() + patience; left.length > 0 && Date.now() < deadline; ) {
    await sleep(50);
    left = left.filter(([pid]) => signalGroup(pid, 0));
  }
  for (const [pid] of left) signalGroup(pid, "SIGKILL");
  process.exit(0);
});
