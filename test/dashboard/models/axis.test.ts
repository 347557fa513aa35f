import { describe, expect, test } from "vitest";
import { axisOf } from "../../../dashboard/src/models/axis.ts";
import { rowsOf } from "../../../dashboard/src/models/waterfall.ts";
import { line, runDetail, START } from "./samples.ts";

const HOUR = 3_600_000;
const sleepy = rowsOf(
  [
    line("before", 0, 2_000),
    line("nap", 2_000, 6 * HOUR, { kind: "sleep" }),
    line("after", 6 * HOUR, 6 * HOUR + 2_000),
  ],
  runDetail(),
  0,
);

describe("the axis", () => {
  test("compresses a long sleep, so that what was executed can be seen", () => {
    const axis = axisOf(sleepy, true);
    expect(axis.segments.map(({ compressed }) => compressed)).toEqual([false, true, false]);
    expect(axis.left(START + 2_000)).toBeGreaterThan(0.4);
    expect(axis.left(START + 6 * HOUR + 2_000)).toBe(1);
  });

  test("is the clock on the wall where that is asked for", () => {
    expect(axisOf(sleepy, false).left(START + 2_000)).toBeLessThan(0.001);
  });

  test("never runs backwards, and stays within its width", () => {
    const axis = axisOf(sleepy, true);
    const lefts = Array.from({ length: 200 }, (_, i) => axis.left(START + (i / 199) * (6 * HOUR + 2_000)));
    expect(lefts).toEqual(lefts.toSorted((a, b) => a - b));
    expect(Math.min(...lefts)).toBe(0);
    expect(Math.max(...lefts)).toBe(1);
  });

  test("has ticks at round distances from the beginning, none of them in a compressed gap", () => {
    const axis = axisOf(sleepy, true);
    const distances = axis.ticks().map((tick) => tick.at - START);
    expect(distances[0]).toBe(0);
    expect(distances).toContain(1_000);
    expect(distances.every((distance) => distance <= 2_000 || distance >= 6 * HOUR)).toBe(true);
  });

  test("leaves a gap alone that is no longer than what is around it", () => {
    const rows = rowsOf([line("a", 0, 5_000), line("b", 6_000, 11_000)], runDetail(), 0);
    expect(axisOf(rows, true).segments).toHaveLength(1);
  });

  test("has a place for a run of a single instant, and for one that only sleeps", () => {
    const instant = rowsOf([line("a", 0, 0)], runDetail(), 0);
    expect(axisOf(instant, true).left(START)).toBe(0);
    const asleep = rowsOf([line("nap", 0, HOUR, { kind: "sleep" })], runDetail(), 0);
    expect(axisOf(asleep, true).left(START + HOUR)).toBe(1);
  });
});
