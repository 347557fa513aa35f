/** What starting runs takes, and what can be told to one. */
import * as z from "zod";
import type { SignallingStart } from "../runtime/start-runs.ts";
import { deadline, duration, instant, text } from "./fields.ts";
import { InvalidRequest } from "./refusals.ts";

const BATCH_LIMIT = 500;

const idempotencyKey = z
  .string()
  .regex(/^[\x20-\x7e]{1,200}$/, "must be 1 to 200 printable ASCII characters");

const version = z.int().min(1);

/** Steps' names have at most 200 characters; repeats and the items of maps are numbered. */
const stepKey = text(1, 250);

const startFields = {
  input: z.unknown().optional(),
  tags: z.array(text(1, 100)).max(20).optional(),
  delay: duration.optional(),
  startAt: instant.optional(),
  deadline: deadline.optional(),
  version: version.optional(),
};

const oneStart = { message: "give either delay or startAt, not both", path: ["startAt"] };

/** A signal in a body; what it may be called, `toNewSignal` says. */
const signalFields = { payload: z.unknown().optional(), id: text(1, 200).optional() };

export const SignalBody = z.strictObject(signalFields);

/** One run. Its idempotency key stands in a header. */
export const StartBody = z
  .strictObject({ ...startFields, signal: z.strictObject({ name: z.string(), ...signalFields }).optional() })
  .refine((start) => start.delay === undefined || start.startAt === undefined, oneStart);

/** A run like another one: with its input or a new one, from its beginning or reusing what it did before a step. */
export const RerunBody = z.strictObject({ input: z.unknown().optional(), from: stepKey.optional() });

export const ForkBody = z.strictObject({ from: stepKey, version: version.optional() });

/** What a person found out about a step. */
export const ResolveBody = z.discriminatedUnion("outcome", [
  z.strictObject({ outcome: z.literal("done"), output: z.unknown().optional() }),
  z.strictObject({ outcome: z.literal("again") }),
]);

export const CancelBody = z.strictObject({ compensate: z.boolean().optional() });

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
  { deadline, ...rest }: z.output<typeof BatchStart> & Pick<SignallingStart, "signal">,
): SignallingStart {
  return { ...rest, ...deadline, workflow };
}
