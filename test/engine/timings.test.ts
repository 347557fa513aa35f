import { expect, test } from "vitest";
import { BOUNDS_MS, bucketOf, type PhaseTimes, quantile } from "../../src/engine/timings.ts";

function timesOf(...ms: readonly number[]): PhaseTimes {
  const buckets = [...BOUNDS_MS.map(() => 0), 0];
  for (const one of ms) buckets[bucketOf(one)] = (buckets[bucketOf(one)] ?? 0) + 1;
  return { phase: "step", turns: ms.length, totalMs: ms.reduce((sum, one) => sum + one, 0), buckets };
}

test.each([
  [0, 0],
  [1, 0],
  [1.5, 1],
  [60_000, BOUNDS_MS.length - 1],
  [60_001, BOUNDS_MS.length],
])("%d ms belong into bucket %d", (ms, bucket) => {
  expect(bucketOf(ms)).toBe(bucket);
});

test("a share of the turns lies evenly within its bucket", () => {
  const times = timesOf(10, 10, 10, 10, 25);
  expect(quantile(times, 0.5)).toBeCloseTo(8 + (2.5 / 4) * 4);
  expect(quantile(times, 0.99)).toBeCloseTo(20 + 0.95 * 10);
});

test("what took longer than the last bound counts as that", () => {
  expect(quantile(timesOf(500_000), 0.5)).toBe(60_000);
});

test("without turns there is no share of them", () => {
  expect(quantile(timesOf(), 0.5)).toBeNull();
});
