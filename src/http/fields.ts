/** The kinds of field that bodies and queries share. */
import * as z from "zod";
import { type Duration, durationMs } from "../engine/duration.ts";

/** Text that Postgres can store: no U+0000, no half of a surrogate pair. */
export function text(min: number, max: number) {
  return z
    .string()
    .min(min)
    .max(max)
    .refine(
      (value) => !value.includes("\u0000") && value.isWellFormed(),
      "holds U+0000 or half a surrogate pair",
    );
}

/** An ISO 8601 date-time with its offset, as milliseconds since 1970. */
export const instant = z.iso
  .datetime({ offset: true, error: "must be an ISO 8601 date-time such as 2026-01-31T12:00:00Z" })
  .transform((iso) => Date.parse(iso));

const amount = z.number().optional();

/** A `Duration` as it was written. */
const span = z.union(
  [
    z.number(),
    z.string().max(100),
    z.strictObject({
      milliseconds: amount,
      seconds: amount,
      minutes: amount,
      hours: amount,
      days: amount,
      weeks: amount,
    }),
  ],
  'must be a duration such as "90 seconds", { "days": 1 } or milliseconds',
);

/** A `Duration`, as milliseconds. Throws `InvalidDuration` for what is unclear. */
export const duration = span.transform((given) => durationMs(given as Duration | string));

/** An ISO date-time, or a `Duration` from now: the database's clock turns that into an instant. */
export const deadline = span.transform((given, context): { deadlineAt: number } | { deadline: number } => {
  if (typeof given !== "string" || !/^\d{4}-/.test(given)) {
    return { deadline: durationMs(given as Duration | string) };
  }
  const at = instant.safeParse(given);
  if (at.success) return { deadlineAt: at.data };
  context.addIssue({
    code: "custom",
    message: "must be an ISO 8601 date-time or a duration",
    input: given,
  });
  return z.NEVER;
});

/** What is wrong, each problem with the path of its field. */
export function problemsOf(error: z.ZodError): string[] {
  return error.issues.map(({ path, message }) =>
    path.length > 0 ? `${path.map(String).join(".")}: ${message}` : message,
  );
}
