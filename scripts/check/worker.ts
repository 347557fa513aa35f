/** What runs in workerd for `npm run check:runs`. It is handed runs and gives back those that would be dead. */
import { clock } from "../../src/clock.ts";
import { decode } from "../../src/engine/codec.ts";
import { JournalMismatch } from "../../src/engine/errors.ts";
import { toFailure } from "../../src/engine/failure.ts";
import { Replay } from "../../src/engine/plan/replay.ts";
import { type AnyWorkflow, Registry } from "../../src/engine/workflow.ts";
import type { CheckedRun } from "./checker.ts";
import type { LiveRun } from "./live-runs.ts";

export function createChecker(workflows: readonly AnyWorkflow[]) {
  const registry = new Registry(workflows);
  return {
    async fetch(request: Request): Promise<Response> {
      const runs = (await request.json()) as LiveRun[];
      const found = await Promise.all(runs.map((live) => examine(registry, live)));
      return Response.json(found.filter((finding) => finding !== null));
    },
  };
}

async function examine(registry: Registry, { status, run, apart }: LiveRun): Promise<CheckedRun | null> {
  const problem = await replay(registry, run, apart).catch((error: unknown) => error);
  if (problem === null) return null;
  const { tenant, runId, workflow, version } = run;
  const { code, message } = toFailure(problem);
  return { tenant, runId, workflow, version, status, code, message };
}

/** Why the next turn of the run, or of one of its branches, would find that it cannot go on; null when it would not. */
async function replay(registry: Registry, run: LiveRun["run"], apart: LiveRun["apart"]): Promise<unknown> {
  const workflow = registry.find(run.workflow, run.version);
  const planner = new Replay(workflow, run, clock.rest, { hookUrl: () => "https://pawl.check/hook" });
  const plan = await planner.start(decode(run.input));
  if (plan.state === "stuck") return plan.error;
  // A run that undoes what it did waits for its steps no more.
  const lost = run.verdict === null ? apart.find((key) => planner.openStep(key) === undefined) : undefined;
  if (lost === undefined) return null;
  const open = planner.openEdges().map(({ key }) => key);
  return JournalMismatch.notReached(lost, "step", open);
}
