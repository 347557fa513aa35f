/** The time of this browser, once a second, and the zone in which people want to see times. */
import { useSyncExternalStore } from "react";
import type { Zone } from "../models/time.ts";
import { type Stored, stored } from "./stored.ts";

const listeners = new Set<() => void>();
let now = Date.now();
let timer: ReturnType<typeof setInterval> | undefined;

function tick(): void {
  if (document.hidden) return;
  now = Date.now();
  for (const listener of listeners) listener();
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  if (timer === undefined) {
    now = Date.now();
    timer = setInterval(tick, 1_000);
    document.addEventListener("visibilitychange", tick);
  }
  return () => {
    listeners.delete(listener);
    if (listeners.size > 0) return;
    clearInterval(timer);
    timer = undefined;
    document.removeEventListener("visibilitychange", tick);
  };
}

export function useNow(): number {
  return useSyncExternalStore(subscribe, () => now);
}

export const zoneSetting: Stored<Zone> = stored("pawl.zone", ["local", "utc"]);
