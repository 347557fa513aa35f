/** Newer runs wait above a list that somebody reads, until they are asked for. */
import { useState, useSyncExternalStore } from "react";
import type { RunPage } from "../api/types.ts";
import { heldPage, newerThan } from "../models/held-page.ts";
import { formatCount } from "./count.ts";

/**
 * The page as it is shown. While `held` it does not move. What a list begins with may be the answer to another question,
 * which is `stale`: whatever follows that is shown at once.
 */
export function useHeldPage(latest: RunPage, held: boolean, stale: boolean) {
  const [seen, setSeen] = useState({ latest, shown: latest, foreign: stale });
  const adopt = () => setSeen({ latest, shown: latest, foreign: false });
  if (seen.latest !== latest) {
    const shown = held && !seen.foreign ? heldPage(seen.shown, latest) : latest;
    setSeen({ latest, shown, foreign: false });
  } else if (!held && seen.shown !== latest) adopt();
  return { shown: seen.shown, newer: newerThan(seen.shown, latest), adopt };
}

/** Whether the window is somewhere below its top. */
export function useScrolled(): boolean {
  return useSyncExternalStore(
    (listener) => {
      addEventListener("scroll", listener, { passive: true });
      return () => removeEventListener("scroll", listener);
    },
    () => scrollY > 0,
  );
}

interface Props {
  readonly newer: { readonly count: number; readonly exact: boolean };
  readonly onShow: () => void;
}

/** It takes no room: nothing moves when it comes. */
export function NewRuns({ newer, onShow }: Props) {
  const show = () => {
    onShow();
    document.getElementById("main")?.scrollIntoView();
  };
  return (
    <div role="status" className="sticky top-3 z-10 -mb-3 h-0 justify-self-center">
      {newer.count > 0 && (
        <button type="button" className="button button-main shadow-lg" onClick={show}>
          {formatCount(newer)} new {newer.count === 1 ? "run" : "runs"}
        </button>
      )}
    </div>
  );
}
