/** Spans and instants as people read them. */

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** `14.2 s`, `3 min 5 s`, `6 h 12 min`, `4 d 2 h`. Never negative: two clocks may differ. */
export function formatSpan(ms: number): string {
  const span = Math.max(0, ms);
  if (span < SECOND) return `${Math.round(span)} ms`;
  if (span < 10 * SECOND) return `${(span / SECOND).toFixed(1)} s`;
  if (span < MINUTE) return `${Math.floor(span / SECOND)} s`;
  if (span < HOUR) return parts(span, MINUTE, "min", SECOND, "s");
  if (span < DAY) return parts(span, HOUR, "h", MINUTE, "min");
  return parts(span, DAY, "d", HOUR, "h");
}

function parts(span: number, big: number, bigUnit: string, small: number, smallUnit: string): string {
  const rest = Math.floor((span % big) / small);
  return `${Math.floor(span / big)} ${bigUnit}${rest > 0 ? ` ${rest} ${smallUnit}` : ""}`;
}

/** `just now`, `5 min ago`, `in 3 h`: as coarse as its unit. */
export function formatRelative(at: number, now: number): string {
  const distance = Math.abs(at - now);
  if (distance < 5 * SECOND) return "now";
  const words = coarse(distance);
  return at > now ? `in ${words}` : `${words} ago`;
}

/** `14 s`, `3 min`, `23 h`: its largest unit, where there is little room. */
export function coarse(span: number): string {
  if (span < MINUTE) return `${Math.floor(span / SECOND)} s`;
  if (span < HOUR) return `${Math.floor(span / MINUTE)} min`;
  if (span < 2 * DAY) return `${Math.floor(span / HOUR)} h`;
  return `${Math.floor(span / DAY)} d`;
}

export type Zone = "local" | "utc";

/** `Nov 21, 02:31:07`, with the year where it is not this one's; in UTC marked so. */
export function formatInstant(at: number, zone: Zone, now: number): string {
  const timeZone = zone === "utc" ? { timeZone: "UTC" } : {};
  const year =
    new Date(at).getUTCFullYear() === new Date(now).getUTCFullYear() ? {} : { year: "numeric" as const };
  const text = new Intl.DateTimeFormat("en", {
    month: "short",
    day: "numeric",
    ...year,
    hour: "2-digit",
    minute: "2-digit",
    second: "2-digit",
    hourCycle: "h23",
    ...timeZone,
  }).format(at);
  return zone === "utc" ? `${text} UTC` : text;
}

/** `14:30`, and at midnight the day: what stands at the tick of an axis. */
export function formatTick(at: number, zone: Zone): string {
  const timeZone = zone === "utc" ? { timeZone: "UTC" } : {};
  const time = new Intl.DateTimeFormat("en", {
    hour: "2-digit",
    minute: "2-digit",
    hourCycle: "h23",
    ...timeZone,
  }).format(at);
  return time === "00:00"
    ? new Intl.DateTimeFormat("en", { month: "short", day: "numeric", ...timeZone }).format(at)
    : time;
}
