/** Keys that work wherever nobody is typing. `g r` is one key after the other. */
export const KEYS = [
  ["/", "Search, or paste a run's id"],
  ["g r", "Runs"],
  ["g d", "Dead letters"],
  ["g w", "Workflows"],
  ["g s", "Channels and signals"],
  ["g m", "Metrics"],
  ["g y", "System"],
  ["j", "Next row"],
  ["k", "Previous row"],
  ["x", "Select the row"],
  ["e", "Expand all steps"],
  ["w", "Collapse all steps"],
  ["r", "Rerun this run"],
  ["c", "Cancel this run"],
  ["p", "Pause or resume the refreshing"],
  ["t", "Light, dark, or as the system"],
  ["?", "This list"],
] as const;

export type KeyName = (typeof KEYS)[number][0];

/** Two keys belong together for this long. */
export const CHORD_MS = 1_000;

/** What a pressed key means after the one before it; null for nothing, `pending` for half of a pair. */
export function keyName(key: string, before: string | null): KeyName | "pending" | null {
  const names = KEYS.map(([name]) => name);
  const pair = before === null ? undefined : names.find((name) => name === `${before} ${key}`);
  if (pair !== undefined) return pair;
  if (names.some((name) => name.startsWith(`${key} `))) return "pending";
  return names.find((name) => name === key) ?? null;
}
