import * as z from "zod";
import { text } from "./fields.ts";
import { checkQuery, parametersOf } from "./filter-query.ts";
import type { Query } from "./query.ts";

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

/** How far back one may look, and how finely what happened is then shown. */
const RANGES = {
  "1h": { rangeMs: HOUR, bucketMs: MINUTE },
  "6h": { rangeMs: 6 * HOUR, bucketMs: 5 * MINUTE },
  "24h": { rangeMs: 24 * HOUR, bucketMs: 15 * MINUTE },
  "7d": { rangeMs: 168 * HOUR, bucketMs: 2 * HOUR },
} as const;

type RangeName = keyof typeof RANGES;

const range = z.enum(Object.keys(RANGES) as RangeName[]).default("24h");
const RangeQuery = z.strictObject({ range });
const MetricsQuery = z.strictObject({ range, workflow: text(1, 100).optional() });

interface Range {
  readonly rangeMs: number;
  readonly bucketMs: number;
}

/** For what happened lately. */
export const rangeQuery: Query<{ range?: RangeName }, Range> = async (c, next) => {
  const given = checkQuery(RangeQuery, Object.fromEntries(parametersOf(c.req.raw)));
  c.req.addValidatedData("query", RANGES[given.range]);
  await next();
};

/** The same of one workflow, or of all. */
export const metricsQuery: Query<
  { range?: RangeName; workflow?: string },
  Range & { readonly workflow: string | null }
> = async (c, next) => {
  const given = checkQuery(MetricsQuery, Object.fromEntries(parametersOf(c.req.raw)));
  c.req.addValidatedData("query", { ...RANGES[given.range], workflow: given.workflow ?? null });
  await next();
};
