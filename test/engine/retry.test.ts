import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { LONGEST_MS } from "../../src/engine/duration.ts";
import { InvalidDuration, NonRetryableError, StepFailed, UnstorableValue } from "../../src/engine/errors.ts";
import { nextRetryMs, type Retry, RetryableError } from "../../src/engine/retry.ts";
import { failureOf, NOON } from "./support.ts";

const delayAfter = (attempt: number, retry?: Retry, thrown: unknown = new Error("no"), seed = "seed") =>
  nextRetryMs(retry, attempt, thrown, seed, NOON);

/** A delay without its jitter lies in the upper quarter below the full delay. */
function expectAbout(ms: number | null, full: number): void {
  expect(ms).toBeGreaterThanOrEqual(full * 0.75 - 1);
  expect(ms).toBeLessThanOrEqual(full);
}

describe("nextRetryMs", () => {
  test("tries a step three times by default, a second and then two apart", () => {
    expectAbout(delayAfter(1), 1_000);
    expectAbout(delayAfter(2), 2_000);
    expect(delayAfter(3)).toBeNull();
  });

  test("an option given as undefined is an option not given", () => {
    const retry = { maxAttempts: undefined, delay: undefined, backoff: undefined, maxDelay: undefined };
    const given = retry as unknown as Retry;
    for (const attempt of [1, 2, 3, 4]) expect(delayAfter(attempt, given)).toBe(delayAfter(attempt));
  });

  test("doubles the delay up to the longest one allowed", () => {
    const retry: Retry = { maxAttempts: 100, delay: "10 s", maxDelay: "1 minute" };
    for (const [attempt, full] of [10_000, 20_000, 40_000, 60_000, 60_000].entries()) {
      expectAbout(delayAfter(attempt + 1, retry), full);
    }
    expectAbout(delayAfter(99, retry), 60_000);
  });

  test("is never more than a minute apart unless asked to be", () => {
    expectAbout(delayAfter(20, { maxAttempts: 21 }), 60_000);
    expectAbout(delayAfter(20, { maxAttempts: 21, maxDelay: "1 day" }), 86_400_000);
  });

  test("keeps a fixed delay fixed", () => {
    for (const attempt of [1, 2, 7]) {
      expectAbout(delayAfter(attempt, { maxAttempts: 8, delay: 400, backoff: "fixed" }), 400);
    }
  });

  test("a step that may be tried once is not tried again", () => {
    expect(delayAfter(1, { maxAttempts: 1 })).toBeNull();
  });

  test("gives a whole number of milliseconds from 0 to maxDelay at every attempt", () => {
    const span = fc.integer({ min: 0, max: LONGEST_MS });
    const backoff = fc.constantFrom("fixed" as const, "exponential" as const);
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 5_000 }),
        span,
        span,
        backoff,
        fc.string(),
        (attempt, delay, maxDelay, kind, seed) => {
          const retry = { maxAttempts: 10_000, delay, maxDelay, backoff: kind };
          const ms = nextRetryMs(retry, attempt, new Error(), seed, NOON) ?? -1;
          return (
            Number.isInteger(ms) && ms >= 0 && ms <= maxDelay && (ms > 0 || Math.min(delay, maxDelay) <= 1)
          );
        },
      ),
      { numRuns: 2_000 },
    );
  });

  test("a step without a delay is tried at once, however often it has been tried", () => {
    for (const attempt of [1, 2, 1_030, 2_000]) {
      expect(delayAfter(attempt, { maxAttempts: 5_000, delay: 0 })).toBe(0);
    }
  });

  test("spreads what failed together over a quarter of the delay, the same way every time (N6)", () => {
    const spread = Array.from(
      { length: 500 },
      (_, i) => delayAfter(1, { delay: 10_000 }, new Error("no"), `run-${i}`) ?? 0,
    );
    const again = Array.from(
      { length: 500 },
      (_, i) => delayAfter(1, { delay: 10_000 }, new Error("no"), `run-${i}`) ?? 0,
    );
    expect(spread).toEqual(again);
    expect(Math.min(...spread)).toBeLessThan(7_700);
    expect(Math.max(...spread)).toBeGreaterThan(9_800);
    expect(new Set(spread).size).toBeGreaterThan(300);
  });

  test.each<[string, unknown]>([
    ["NonRetryableError", new NonRetryableError("card declined")],
    ["NonRetryableError without a message (H7)", new NonRetryableError("")],
    ["NonRetryableError thrown without new words at all", new NonRetryableError()],
    ["a class of the user's that extends it", new (class Declined extends NonRetryableError {})("no funds")],
    ["a failed step that the body passes on", new StepFailed("a", 3, failureOf("no"))],
    [
      "a value that cannot be stored",
      new UnstorableValue("The output", "a", "is a function", "Return data."),
    ],
    ["a duration that cannot be read", new InvalidDuration('"soon"', "it cannot be read")],
  ])("does not try again after %s", (_, thrown) => {
    expect(delayAfter(1, { maxAttempts: 10 }, thrown)).toBeNull();
  });

  test.each([["a string"], [undefined], [null], [{}], [Object.freeze(new Error("frozen"))]])(
    "tries again after %j was thrown",
    (thrown) => {
      expectAbout(delayAfter(1, {}, thrown), 1_000);
    },
  );
});

describe("RetryableError", () => {
  const wanting = (retryAfter: number | string | Date | { minutes: number }) =>
    new RetryableError("busy", { retryAfter: retryAfter as number });

  test.each<[string, number | string | Date | { minutes: number }, number]>([
    ["milliseconds", 1_234, 1_234],
    ["zero", 0, 0],
    ["text", "2 minutes", 120_000],
    ["fields", { minutes: 3 }, 180_000],
    ["an instant", new Date(NOON + 5_000), 5_000],
    ["an instant that has passed", new Date(NOON - 5_000), 0],
    ["an instant in a hundred years", new Date(NOON + 100 * 365 * 86_400_000), LONGEST_MS],
  ])("asks for the next attempt by %s, exactly", (_, retryAfter, ms) => {
    expect(delayAfter(1, {}, wanting(retryAfter))).toBe(ms);
  });

  test("without a time it leaves it to the policy", () => {
    expect(delayAfter(1, {}, new RetryableError("busy"))).toBe(delayAfter(1));
  });

  test("may ask for longer than maxDelay: who is asked knows best", () => {
    expect(delayAfter(1, { maxDelay: "1 s" }, wanting("1 hour"))).toBe(3_600_000);
  });

  test("gives no more attempts than the policy has", () => {
    expect(delayAfter(3, {}, wanting(1))).toBeNull();
  });

  test.each([["soon"], [-1], [Number.NaN], [new Date(Number.NaN)]])(
    "refuses to be made with %j",
    (retryAfter) => {
      expect(() => wanting(retryAfter)).toThrow(InvalidDuration);
    },
  );

  test("keeps its cause", () => {
    const cause = new Error("429");
    expect(new RetryableError("busy", { cause }).cause).toBe(cause);
    expect("cause" in new RetryableError("busy")).toBe(false);
  });
});
