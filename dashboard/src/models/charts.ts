/** What the charts show, as numbers and as a sentence. */
import type { Metrics } from "../api/types.ts";
import type { Tone } from "./status.ts";
import { formatSpan } from "./time.ts";

export interface Series {
  readonly name: string;
  readonly tone: Tone;
  readonly values: readonly (number | null)[];
}

export interface ChartData {
  readonly title: string;
  readonly unit: string;
  readonly summary: string;
  /** Milliseconds since 1970, one for each value. */
  readonly times: readonly number[];
  readonly series: readonly Series[];
  /** It counts: there is no half. */
  readonly whole: boolean;
  readonly format: (value: number) => string;
}

const whole = new Intl.NumberFormat("en");

export function runsChart({ buckets, bucketMs }: Metrics): ChartData {
  const sum = (pick: (bucket: Metrics["buckets"][number]) => number) =>
    buckets.reduce((total, each) => total + pick(each), 0);
  const [started, completed, failed] = [
    sum((each) => each.started),
    sum((each) => each.completed),
    sum((each) => each.failed),
  ];
  return {
    title: "Runs",
    unit: `in ${formatSpan(bucketMs)} each`,
    summary: `${whole.format(started)} started, ${whole.format(completed)} completed, ${whole.format(failed)} failed or dead.`,
    times: buckets.map(({ at }) => Date.parse(at)),
    series: [
      { name: "Started", tone: "busy", values: buckets.map((each) => each.started) },
      { name: "Completed", tone: "ok", values: buckets.map((each) => each.completed) },
      { name: "Failed or dead", tone: "bad", values: buckets.map((each) => each.failed) },
    ],
    whole: true,
    format: (value) => whole.format(value),
  };
}

export function latencyChart({ latency, bucketMs }: Metrics): ChartData {
  const highest = Math.max(...latency.map(({ p95Ms }) => p95Ms ?? -1), -1);
  return {
    title: "Latency of steps",
    unit: `in ${formatSpan(bucketMs)} each`,
    summary:
      highest < 0
        ? "No step ended in this time."
        : `At its slowest, 95 % of the steps took up to ${formatSpan(highest)}.`,
    times: latency.map(({ at }) => Date.parse(at)),
    series: [
      { name: "p50", tone: "ok", values: latency.map(({ p50Ms }) => p50Ms) },
      { name: "p95", tone: "hold", values: latency.map(({ p95Ms }) => p95Ms) },
      { name: "p99", tone: "bad", values: latency.map(({ p99Ms }) => p99Ms) },
    ],
    whole: false,
    format: formatSpan,
  };
}
