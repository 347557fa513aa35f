/** A choice of this browser's user, kept from one visit to the next, and the same in all of its tabs. */
import { useSyncExternalStore } from "react";

export interface Stored<T extends string> {
  get(): T;
  set(value: T): void;
  use(): T;
}

/** The first of the choices is the default. */
export function stored<T extends string>(key: string, choices: readonly [T, ...T[]]): Stored<T> {
  const listeners = new Set<() => void>();
  const subscribe = (listener: () => void) => {
    listeners.add(listener);
    addEventListener("storage", listener);
    return () => {
      listeners.delete(listener);
      removeEventListener("storage", listener);
    };
  };
  const get = () => choices.find((choice) => choice === read(key)) ?? choices[0];
  return {
    get,
    set(value) {
      try {
        localStorage.setItem(key, value);
      } catch {
        // A browser that keeps nothing still shows everything.
      }
      for (const listener of listeners) listener();
    },
    use: () => useSyncExternalStore(subscribe, get),
  };
}

function read(key: string): string | null {
  try {
    return localStorage.getItem(key);
  } catch {
    return null;
  }
}
