/** Tables and numbers as they are shown. */
import type { Spread } from "../figures.ts";

export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.join(" | ")} |`;
  return [line(head), `|${"---|".repeat(head.length)}`, ...rows.map(line)].join("\n");
}

/** Three digits that matter, and all of them before the point. */
export function shown(value: number | undefined): string {
  if (value === undefined || !Number.isFinite(value)) return "–";
  const digits = Math.abs(value) >= 100 ? 0 : Math.abs(value) >= 10 ? 1 : 2;
  return value.toLocaleString("en", { minimumFractionDigits: digits, maximumFractionDigits: digits });
}

/** The median, and what lies around it where there is more than one value. */
export function spreadShown(spread: Spread | undefined): string {
  if (spread === undefined) return "–";
  const { median, lowest, highest } = spread;
  if (lowest === highest) return shown(median);
  return `${shown(median)} (${shown(lowest)} – ${shown(highest)})`;
}
