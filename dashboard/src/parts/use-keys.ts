import { useEffect, useRef } from "react";
import { CHORD_MS, type KeyName, keyName } from "../models/keys.ts";
import { stored } from "./stored.ts";

/** Single keys can be turned off: they get in the way of speech input. */
export const keysSetting = stored("pawl.keys", ["on", "off"]);

/** Does what the keys say, unless somebody is typing or a dialog is open. */
export function useKeys(actions: Partial<Record<KeyName, () => void>>): void {
  const latest = useRef(actions);
  useEffect(() => {
    latest.current = actions;
  });
  useEffect(() => {
    let before: { key: string; at: number } | null = null;
    const onKey = (event: KeyboardEvent) => {
      if (isTaken(event)) return;
      const started = before !== null && Date.now() - before.at < CHORD_MS ? before.key : null;
      const name = keyName(event.key, started);
      before = name === "pending" ? { key: event.key, at: Date.now() } : null;
      const action = name === null || name === "pending" ? undefined : latest.current[name];
      if (action === undefined) return;
      event.preventDefault();
      action();
    };
    addEventListener("keydown", onKey);
    return () => removeEventListener("keydown", onKey);
  }, []);
}

function isTaken(event: KeyboardEvent): boolean {
  const { target, ctrlKey, metaKey, altKey } = event;
  if (ctrlKey || metaKey || altKey || keysSetting.get() === "off") return true;
  if (document.querySelector("dialog[open]") !== null) return true;
  return target instanceof Element && target.closest("input, textarea, select, [contenteditable]") !== null;
}
