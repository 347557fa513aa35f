/** What starting runs takes. */
import * as z from "zod";
import type { StartRequest } from "../runtime/start-runs.ts";
import { deadline, duration, instant, text } from "./fields.ts";
import { InvalidRequest } from "./refusals.ts";

const BATCH_LIMIT = 500;

const idempotencyKey = z
  .string()
  .regex(/^[\x20-\x7e]{1,200}$/, "must be 1 to 200 printable ASCII characters");

const startFields = {
  input: z.unknown().optional(),
  tags: z.array(text(1, 100)).max(20).optional(),
  delay: duration.optional(),
  startAt: instant.optional(),
  deadline: deadline.optional(),
  version: z.int().min(1).optional(),
};

const oneStart = { message: "give either delay or startAt, not both", path: ["startAt"] };

/** One run. Its idempotency key stands in a header. */
export const StartBody = z
  .strictObject(startFields)
  .refine((start) => start.delay === undefined || start.startAt === undefined, oneStart);

const BatchStart = z
  .strictObject({ ...startFields, idempotencyKey: idempotencyKey.optional() })
  .refine((start) => start.delay === undefined || start.startAt === undefined, oneStart);

/** Several runs of one workflow, all or none. */
export const BatchBody = z.strictObject({ runs: z.array(BatchStart).min(1).max(BATCH_LIMIT) });

/** The `Idempotency-Key` header; an empty or odd one is refused rather than ignored. */
export function idempotencyKeyOf(headers: Headers): string | undefined {
  const given = headers.get("idempotency-key");
  if (given === null) return undefined;
  const key = idempotencyKey.safeParse(given);
  if (!key.success)
    throw new InvalidRequest("header", ["Idempotency-Key: must be 1 to 200 printable ASCII characters"]);
  return key.data;
}

/** What `startRuns` takes, from what the body says. */
export function toStartRequest(
  workflow: string,
  { delay, deadline, ...rest }: z.output<typeof BatchStart>,
): StartRequest {
  return { ...rest, ...deadline, workflow, delayMs: delay };
}
