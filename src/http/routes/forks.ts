import { type Context, Hono } from "hono";
import type { StartedRun } from "../../engine/ports.ts";
import { forkRun } from "../../runtime/fork-run.ts";
import { jsonBody, optionalBody } from "../body.ts";
import type { HttpEnv } from "../context.ts";
import { refOf } from "../find-run.ts";
import { noteWhatWasDone } from "../note.ts";
import { presentRun } from "../present.ts";
import { ForkBody, idempotencyKeyOf, RerunBody } from "../start-body.ts";

/** New runs made from old ones, below `/api/runs`. */
export const forks = new Hono<HttpEnv>()
  .post("/:id/rerun", optionalBody(RerunBody), async (c) => {
    const { from, ...body } = c.req.valid("json");
    const input = "input" in body ? { value: body.input } : undefined;
    const idempotencyKey = idempotencyKeyOf(c.req.raw.headers);
    return answer(c, "rerun", await forkRun(c.var.runtime, refOf(c), { from, input, idempotencyKey }));
  })
  .post("/:id/fork", jsonBody(ForkBody), async (c) => {
    const idempotencyKey = idempotencyKeyOf(c.req.raw.headers);
    const forked = await forkRun(c.var.runtime, refOf(c), { ...c.req.valid("json"), idempotencyKey });
    return answer(c, "fork", forked);
  });

async function answer(c: Context<HttpEnv>, verb: "rerun" | "fork", { run, created }: StartedRun) {
  if (created) await noteWhatWasDone(c, verb, run.runId);
  c.header("Location", `/api/runs/${run.runId}`);
  return created ? c.json(presentRun(run), 201) : c.json(presentRun(run), 200);
}
