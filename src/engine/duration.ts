import { InvalidDuration } from "./errors.ts";

const UNIT_MS = {
  ms: 1,
  millisecond: 1,
  milliseconds: 1,
  s: 1_000,
  sec: 1_000,
  second: 1_000,
  seconds: 1_000,
  m: 60_000,
  min: 60_000,
  minute: 60_000,
  minutes: 60_000,
  h: 3_600_000,
  hour: 3_600_000,
  hours: 3_600_000,
  d: 86_400_000,
  day: 86_400_000,
  days: 86_400_000,
  w: 604_800_000,
  week: 604_800_000,
  weeks: 604_800_000,
} as const;

type Unit = keyof typeof UNIT_MS;
type LongUnit = "milliseconds" | "seconds" | "minutes" | "hours" | "days" | "weeks";

/** A span of time: milliseconds, `"90 seconds"`, `"1h30m"`, or `{ days: 1, hours: 12 }`. No months or years. */
export type Duration =
  | number
  | `${number} ${Unit}`
  | `${number}${string}`
  | { readonly [unit in LongUnit]?: number };

/** Ten years: the longest span that may be waited for. */
export const LONGEST_MS = 10 * 365 * 86_400_000;

const PART = /(\d+(?:\.\d+)?)\s*([a-z]+)\s*/giy;

/** Milliseconds, a whole number from 0 to ten years. Throws `InvalidDuration` for anything unclear. */
export function durationMs(duration: Duration | string): number {
  const shown = show(duration);
  const ms =
    typeof duration === "number" ? duration : typeof duration === "string" ? parse(duration) : sum(duration);
  if (ms === undefined || Number.isNaN(ms)) throw new InvalidDuration(shown, "it cannot be read");
  if (ms < 0) throw new InvalidDuration(shown, "it is negative");
  if (ms > LONGEST_MS) throw new InvalidDuration(shown, "it is longer than ten years");
  return Math.round(ms);
}

function parse(text: string): number | undefined {
  let total = 0;
  PART.lastIndex = 0;
  const trimmed = text.trim();
  let end = 0;
  for (let part = PART.exec(trimmed); part !== null; part = PART.exec(trimmed)) {
    const unit = (part[2] ?? "").toLowerCase();
    if (!Object.hasOwn(UNIT_MS, unit)) return undefined;
    total += Number(part[1]) * UNIT_MS[unit as Unit];
    end = PART.lastIndex;
  }
  return end === trimmed.length && end > 0 ? total : undefined;
}

function sum(parts: unknown): number | undefined {
  if (typeof parts !== "object" || parts === null || Object.keys(parts).length === 0) return undefined;
  let total = 0;
  for (const [unit, amount] of Object.entries(parts)) {
    if (!unit.endsWith("s") || !Object.hasOwn(UNIT_MS, unit) || typeof amount !== "number") return undefined;
    total += amount * UNIT_MS[unit as Unit];
  }
  return total;
}

/** For the sentence of a refusal: untyped code may pass anything, also what JSON cannot say. */
function show(given: unknown): string {
  if (typeof given !== "object" && typeof given !== "string") return String(given);
  try {
    return JSON.stringify(given);
  } catch {
    return "(an object)";
  }
}
