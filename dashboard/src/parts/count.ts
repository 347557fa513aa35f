import type { Count } from "../api/types.ts";

const FORMAT = new Intl.NumberFormat("en");

export function formatCount(count: Count): string {
  return `${FORMAT.format(count.count)}${count.exact ? "" : "+"}`;
}

export function formatNumber(value: number): string {
  return FORMAT.format(value);
}
