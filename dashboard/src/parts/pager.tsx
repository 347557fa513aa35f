import { useLocation, useSearchParams } from "wouter";
import { useHistoryState } from "wouter/use-browser-location";

interface Trail {
  /** The cursors of the pages before this one; the first page has none. */
  readonly trail?: readonly (string | null)[];
}

/** Older and newer pages. The page is in the URL, and the way back to it in the browser's history. */
export function Pager({ nextCursor }: { readonly nextCursor: string | null }) {
  const [path, navigate] = useLocation();
  const [search] = useSearchParams();
  const { trail = [] } = (useHistoryState<Trail | null>() ?? {}) as Trail;
  const cursor = search.get("cursor");
  const go = (to: string | null, newTrail: readonly (string | null)[]) => {
    const next = new URLSearchParams(search);
    if (to === null) next.delete("cursor");
    else next.set("cursor", to);
    navigate(next.size === 0 ? path : `${path}?${next}`, { state: { trail: newTrail } });
    document.getElementById("main")?.scrollIntoView();
  };
  if (cursor === null && nextCursor === null) return null;
  return (
    <nav aria-label="Pages of the list" className="flex justify-end gap-2">
      {cursor !== null && (
        <button type="button" className="button" onClick={() => go(trail.at(-1) ?? null, trail.slice(0, -1))}>
          ← Newer
        </button>
      )}
      {nextCursor !== null && (
        <button type="button" className="button" onClick={() => go(nextCursor, [...trail, cursor])}>
          Older →
        </button>
      )}
    </nav>
  );
}
