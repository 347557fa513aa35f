import { Hono } from "hono";
import { startRuns } from "../../runtime/start-runs.ts";
import { jsonBody } from "../body.ts";
import type { HttpEnv } from "../context.ts";
import { inputSchemaOf } from "../json-schema.ts";
import { presentRun } from "../present.ts";
import { InvalidRequest } from "../refusals.ts";
import { BatchBody, idempotencyKeyOf, StartBody, toStartRequest } from "../start-body.ts";

/** What this deployment can run, and starting it. */
export const workflows = new Hono<HttpEnv>()
  .get("/", (c) => {
    const known = c.var.runtime.registry.list();
    return c.json({
      workflows: known.map((workflow) => ({
        name: workflow.name,
        version: workflow.version,
        inputSchema: inputSchemaOf(workflow),
      })),
    });
  })
  .post("/:name/runs", jsonBody(StartBody), async (c) => {
    const idempotencyKey = idempotencyKeyOf(c.req.raw.headers);
    const body = c.req.valid("json");
    // Without a key nobody could tell whether a start that is tried again has sent its signal twice.
    if (body.signal !== undefined && idempotencyKey === undefined) {
      throw new InvalidRequest("header", ["Idempotency-Key: a start that carries a signal needs one"]);
    }
    const request = toStartRequest(c.req.param("name"), { ...body, idempotencyKey });
    const [start] = await startRuns(c.var.runtime, c.var.principal.tenant, [request]);
    if (start === undefined) throw new Error("starting one run gave none");
    c.header("Location", `/api/runs/${start.run.runId}`);
    return start.created ? c.json(presentRun(start.run), 201) : c.json(presentRun(start.run), 200);
  })
  // A pattern, because the router would read "runs:batch" as text and a parameter.
  .post("/:name/:verb{runs:batch}", jsonBody(BatchBody), async (c) => {
    if (idempotencyKeyOf(c.req.raw.headers) !== undefined) {
      throw new InvalidRequest("header", [
        "Idempotency-Key: a batch takes an idempotencyKey for each of its runs",
      ]);
    }
    const requests = c.req.valid("json").runs.map((run) => toStartRequest(c.req.param("name"), run));
    const started = await startRuns(c.var.runtime, c.var.principal.tenant, requests);
    return c.json({ runs: started.map(({ run, created }) => ({ ...presentRun(run), created })) }, 201);
  });
