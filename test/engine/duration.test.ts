import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type Duration, durationMs, LONGEST_MS } from "../../src/engine/duration.ts";
import { InvalidDuration } from "../../src/engine/errors.ts";

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** What untyped code may pass. */
const read = (given: unknown) => durationMs(given as Duration);

describe("durationMs", () => {
  test.each<[Duration, number]>([
    [0, 0],
    [1, 1],
    [1.4, 1],
    [1.5, 2],
    ["0s", 0],
    ["250ms", 250],
    ["90 seconds", 90 * SECOND],
    ["1h30m", 90 * MINUTE],
    ["1h 30m", 90 * MINUTE],
    ["1.5 h", 90 * MINUTE],
    [" 2 Days ", 2 * DAY],
    ["25 d", 25 * DAY],
    ["1 week", 7 * DAY],
    [{ days: 1, hours: 12 }, 36 * HOUR],
    [{ milliseconds: 5 }, 5],
    [LONGEST_MS, LONGEST_MS],
    ["3650 days", LONGEST_MS],
  ])("reads %j as %d ms (E4)", (given, ms) => {
    expect(durationMs(given)).toBe(ms);
  });

  test.each<[string, unknown, RegExp]>([
    ["NaN", Number.NaN, /NaN: it cannot be read/],
    ["Infinity", Number.POSITIVE_INFINITY, /longer than ten years/],
    ["-Infinity", Number.NEGATIVE_INFINITY, /it is negative/],
    ["1e400", Number("1e400"), /longer than ten years/],
    ['"1e400"', "1e400", /"1e400": it cannot be read/],
    ["-1", -1, /-1: it is negative/],
    ['"-1 day"', "-1 day", /cannot be read/],
    ["an empty string", "", /"": it cannot be read/],
    ["blanks", "   ", /cannot be read/],
    ["a bare number in a string", "5", /cannot be read/],
    ["a month", "1 month", /"1 month": it cannot be read/],
    ["a year", "1 year", /cannot be read/],
    ["rubbish after a good part", "1h and then some", /cannot be read/],
    ["a comma", "1,5 h", /cannot be read/],
    ["a unit that every object has", "1 constructor", /cannot be read/],
    ["null", null, /null: it cannot be read/],
    ["undefined", undefined, /undefined: it cannot be read/],
    ["true", true, /cannot be read/],
    ["BigInt", 1n, /1n?: it cannot be read/],
    ["a symbol", Symbol("day"), /cannot be read/],
    ["a function", () => 1, /cannot be read/],
    ["an array", [1], /cannot be read/],
    ["{}", {}, /\{\}: it cannot be read/],
    ["{ day: 1 }", { day: 1 }, /\{"day":1\}: it cannot be read/],
    ["{ months: 1 }", { months: 1 }, /cannot be read/],
    ["{ constructors: 1 }", { constructors: 1 }, /cannot be read/],
    ['{ days: "1" }', { days: "1" }, /cannot be read/],
    ["{ days: 1n }", { days: 1n }, /cannot be read/],
    ["{ days: NaN }", { days: Number.NaN }, /cannot be read/],
    ["{ days: -1 }", { days: -1 }, /it is negative/],
    ["{ weeks: 1e9 }", { weeks: 1e9 }, /longer than ten years/],
    ["a hundred years", "36500 days", /longer than ten years/],
    ["a millisecond more than ten years", LONGEST_MS + 1, /longer than ten years/],
  ])("refuses %s, saying why and what to write (E5)", (_, given, why) => {
    expect(() => read(given)).toThrow(InvalidDuration);
    expect(() => read(given)).toThrow(why);
    expect(() => read(given)).toThrow('Write "90 seconds"');
  });

  test("refuses an object that refers to itself", () => {
    const days: Record<string, unknown> = {};
    days.days = days;
    expect(() => read(days)).toThrow(InvalidDuration);
  });

  test("gives a whole number from 0 to ten years or InvalidDuration, whatever it is given (E4, E5)", () => {
    const text = fc.array(
      fc.tuple(fc.nat(), fc.constantFrom("", " ", "."), fc.constantFrom("s", "h", "month", "")),
    );
    const given = fc.oneof(
      fc.anything({ withBigInt: true }),
      fc.string(),
      text.map((parts) => parts.flat().join("")),
    );
    fc.assert(
      fc.property(given, (duration) => {
        try {
          const ms = read(duration);
          return Number.isInteger(ms) && ms >= 0 && ms <= LONGEST_MS;
        } catch (error) {
          return error instanceof InvalidDuration;
        }
      }),
      { numRuns: 3_000 },
    );
  });

  test("a duration as text, as fields and in milliseconds is the same span", () => {
    const part = fc.integer({ min: 0, max: 300 });
    fc.assert(
      fc.property(part, part, part, part, (days, hours, minutes, seconds) => {
        const ms = days * DAY + hours * HOUR + minutes * MINUTE + seconds * SECOND;
        expect(durationMs(`${days}d ${hours}h${minutes} minutes ${seconds}s`)).toBe(ms);
        expect(durationMs({ days, hours, minutes, seconds })).toBe(ms);
        expect(durationMs(ms)).toBe(ms);
      }),
    );
  });

  test("an earlier refusal does not change how the next text is read", () => {
    expect(() => durationMs("1h 5x")).toThrow(InvalidDuration);
    expect(durationMs("1h")).toBe(HOUR);
  });
});
