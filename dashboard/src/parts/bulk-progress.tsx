import type { Bulk } from "../api/types.ts";
import { formatNumber } from "./count.ts";

/** How far a bulk action came; the numbers stand beside it. */
export function BulkProgress({ bulk }: { readonly bulk: Bulk }) {
  const whole = Math.max(1, bulk.matching.count, bulk.seen);
  const label = `${formatNumber(bulk.seen)} of ${formatNumber(bulk.matching.count)}`;
  return (
    <progress max={whole} value={bulk.seen} aria-label={label} className="h-2 w-full accent-accent">
      {label}
    </progress>
  );
}

const WORDS = { running: ["Running", "busy"], done: ["Done", "ok"], aborted: ["Aborted", "off"] } as const;

export function BulkStatus({ status }: { readonly status: Bulk["status"] }) {
  const [word, tone] = WORDS[status];
  return <span className={`badge tone-${tone}`}>{word}</span>;
}
