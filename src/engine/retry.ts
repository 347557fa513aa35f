import { type Duration, durationMs, LONGEST_MS } from "./duration.ts";
import { InvalidDuration, PawlError } from "./errors.ts";

/** Thrown by a step body: try again, not before `retryAfter` (milliseconds, a duration, or a date). */
export class RetryableError extends PawlError {
  readonly code: string = "retryable";
  /** Milliseconds from when it is thrown, or an instant; undefined leaves it to the step's policy. */
  readonly retryAfter: number | Date | undefined;
  constructor(message: string, options: { retryAfter?: Duration | Date; cause?: unknown } = {}) {
    super(message, "cause" in options ? { cause: options.cause } : undefined);
    const after = options.retryAfter;
    if (after instanceof Date && Number.isNaN(after.getTime())) {
      throw new InvalidDuration("Invalid Date", "retryAfter is not a date");
    }
    this.retryAfter = after === undefined || after instanceof Date ? after : durationMs(after);
  }
  override readonly name: string = "RetryableError";
}

/** How often and how far apart a step is tried. Defaults: 3 attempts, 1 s, exponential, at most 60 s apart. */
export interface Retry {
  readonly maxAttempts?: number;
  readonly delay?: Duration;
  /** A function is told how many attempts have failed and says how long to wait; `delay` is then not used. */
  readonly backoff?: "exponential" | "fixed" | ((failedAttempt: number) => Duration);
  readonly maxDelay?: Duration;
}

/** From 1 ms to far over ten years. Without a limit, no delay times infinity would be NaN. */
const MOST_DOUBLINGS = 50;

/** Milliseconds until the next attempt, or null when `attempt` was the last. `seed` spreads retries that failed together. */
export function nextRetryMs(
  retry: Retry | undefined,
  attempt: number,
  thrown: unknown,
  seed: string,
  now: number,
): number | null {
  if (thrown instanceof PawlError && !thrown.retryable) return null;
  const { maxAttempts = 3, delay = 1_000, backoff = "exponential", maxDelay = 60_000 } = retry ?? {};
  if (attempt >= maxAttempts) return null;
  const after = thrown instanceof RetryableError ? thrown.retryAfter : undefined;
  if (after instanceof Date) return Math.min(Math.max(0, after.getTime() - now), LONGEST_MS);
  if (after !== undefined) return after;
  if (typeof backoff === "function") {
    const asked = askedDelay(backoff, attempt);
    if (asked !== null) return retry?.maxDelay === undefined ? asked : Math.min(asked, durationMs(maxDelay));
  }
  const first = durationMs(delay);
  const grown = backoff === "fixed" ? first : first * 2 ** Math.min(attempt - 1, MOST_DOUBLINGS);
  const capped = Math.min(grown, durationMs(maxDelay));
  return Math.round(capped * (1 - jitter(`${seed}/${attempt}`) / 4));
}

/** Null when the function throws or gives no duration: that must cost the step nothing but its own pace. */
function askedDelay(backoff: (failedAttempt: number) => Duration, attempt: number): number | null {
  try {
    return durationMs(backoff(attempt));
  } catch {
    return null;
  }
}

/** 0 to 1, the same for the same seed (FNV-1a): the engine has no randomness, and replays agree. */
function jitter(seed: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < seed.length; i++) hash = Math.imul(hash ^ seed.charCodeAt(i), 0x01000193) >>> 0;
  return hash / 0xffffffff;
}
