import { Hono } from "hono";
import * as z from "zod";
import { appendSteps } from "../../runtime/append-steps.ts";
import { jsonBody } from "../body.ts";
import type { HttpEnv } from "../context.ts";
import { duration, text } from "../fields.ts";
import { refOf } from "../find-run.ts";
import { InvalidRequest } from "../refusals.ts";

const STEPS_LIMIT = 500;

const Dependency = z.union([
  text(1, 200),
  z.strictObject({ step: text(1, 200), release: z.enum(["onSuccess", "onTerminal"]).nullish() }),
]);

const Step = z.strictObject({
  name: text(1, 200),
  handler: text(1, 200),
  payload: z.unknown().optional(),
  after: z.array(Dependency).max(STEPS_LIMIT).nullish(),
  priority: z.number().nullish(),
  maxAttempts: z.int().min(1).nullish(),
  timeout: duration.nullish(),
  stage: text(1, 100)
    .refine((stage) => !stage.includes("#"), 'must not hold "#"')
    .nullish(),
  tenant: text(1, 200).nullish(),
});

const AppendBody = z.strictObject({ gate: text(1, 100), steps: z.array(Step).min(1).max(STEPS_LIMIT) });

/** Appending steps to the graph of a live run. */
export const steps = new Hono<HttpEnv>().post("/:id/steps", jsonBody(AppendBody), async (c) => {
  const mutationKey = mutationKeyOf(c.req.raw.headers);
  const ref = refOf(c);
  const appended = await appendSteps(c.var.runtime, ref, mutationKey, c.req.valid("json"));
  const { gate, steps } = appended.request;
  return c.json({ id: ref.runId, mutationKey, gate, steps }, appended.created ? 201 : 200);
});

/** The `Mutation-Key` header, without which nothing could be appended just once. */
function mutationKeyOf(headers: Headers): string {
  const given = headers.get("mutation-key");
  if (given === null || !/^[\x20-\x7e]{1,200}$/.test(given))
    throw new InvalidRequest("header", ["Mutation-Key: must be 1 to 200 printable ASCII characters"]);
  return given;
}
