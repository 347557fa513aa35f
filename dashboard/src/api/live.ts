/**
 * Whether the pages refresh by themselves: while the tab can be seen, the switch in the frame is on, and somebody is there.
 * To the queries all of this is one thing, the focus of the window: without it none asks again, and with it all do at once.
 */
import { focusManager } from "@tanstack/react-query";
import { useSyncExternalStore } from "react";

/** After this long without a key or a pointer nobody is looking, and an idle database may go to sleep. */
const UNATTENDED_MS = 10 * 60_000;
const LOOK_MS = 15_000;

let live = true;
let lastInput = Date.now();
const listeners = new Set<() => void>();

focusManager.setEventListener((setFocused) => {
  const tell = () => setFocused(live && !document.hidden);
  const ends = [() => listeners.delete(tell), on(document, ["visibilitychange"], tell)];
  ends.push(on(window, ["pointerdown", "pointermove", "keydown", "wheel"], noteInput));
  const timer = setInterval(lookForSomebody, LOOK_MS);
  listeners.add(tell);
  return () => {
    clearInterval(timer);
    for (const end of ends) end();
  };
});

export function setLive(on: boolean): void {
  live = on;
  noteInput();
  for (const listener of listeners) listener();
}

export function useLive(): boolean {
  return useSyncExternalStore(
    (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    () => live,
  );
}

function noteInput(): void {
  lastInput = Date.now();
}

function lookForSomebody(): void {
  if (live && Date.now() - lastInput > UNATTENDED_MS) setLive(false);
}

function on(target: EventTarget, types: readonly string[], listener: () => void): () => void {
  for (const type of types) target.addEventListener(type, listener, { passive: true });
  return () => {
    for (const type of types) target.removeEventListener(type, listener);
  };
}
