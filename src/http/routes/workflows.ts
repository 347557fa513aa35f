import { Hono } from "hono";
import type { WorkflowStats } from "../../engine/overview.ts";
import type { AnyWorkflow } from "../../engine/workflow.ts";
import { startRuns } from "../../runtime/start-runs.ts";
import { jsonBody } from "../body.ts";
import type { HttpEnv } from "../context.ts";
import { inputSchemaOf } from "../json-schema.ts";
import { iso, presentRun } from "../present.ts";
import { rangeQuery } from "../range-query.ts";
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
  .get("/stats", rangeQuery, async (c) => {
    const { runtime, principal } = c.var;
    const { rangeMs } = c.req.valid("query");
    const { from, to, exact, workflows } = await runtime.overview.workflowStats(principal.tenant, rangeMs);
    const known = runtime.registry.list();
    const unused = [...new Set(known.map(({ name }) => name))].filter(
      (name) => !workflows.some((one) => one.name === name),
    );
    const all = [...workflows, ...unused.map(statsOfNone)].sort((a, b) => (a.name < b.name ? -1 : 1));
    return c.json({
      ...{ exact, from: iso(from), to: iso(to) },
      workflows: all.map((one) =>
        presentStats(
          one,
          known.filter(({ name }) => name === one.name),
        ),
      ),
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

function presentStats({ versions, ...stats }: WorkflowStats, registered: readonly AnyWorkflow[]) {
  const over = stats.completed + stats.failed;
  return {
    ...stats,
    registered: registered.map(({ version }) => version),
    seen: versions.map(({ version, runs, lastAt }) => ({ version, runs, lastAt: iso(lastAt) })),
    failureShare: over === 0 ? null : stats.failed / over,
  };
}

function statsOfNone(name: string): WorkflowStats {
  const none = { started: 0, completed: 0, failed: 0, cancelled: 0, live: 0 };
  return { name, versions: [], ...none, p50Ms: null, p95Ms: null };
}
