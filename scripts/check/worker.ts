/**
 * What runs in workerd for `npm run check:runs`. It is handed runs and gives back those that would be dead, with what
 * their code calls outside its steps.
 */
import { clock } from "../../src/clock.ts";
import { watched } from "../../src/determinism.ts";
import { decode } from "../../src/engine/codec.ts";
import { JournalMismatch } from "../../src/engine/errors.ts";
import { toFailure } from "../../src/engine/failure.ts";
import { Replay } from "../../src/engine/plan/replay.ts";
import { type AnyWorkflow, Registry } from "../../src/engine/workflow.ts";
import type { CheckedCall, CheckedRun, Findings } from "./checker.ts";
import type { LiveRun } from "./live-runs.ts";

export function createChecker(workflows: readonly AnyWorkflow[]) {
  const heard: CheckedCall[] = [];
  const warn = ({ workflow, version, call, remedy, message }: CheckedCall) =>
    void heard.push({ workflow, version, call, remedy, message });
  const registry = new Registry(watched(workflows, warn));
  return {
    async fetch(request: Request): Promise<Response> {
      const runs = (await request.json()) as LiveRun[];
      const found = await Promise.all(runs.map((live) => examine(registry, live)));
      const diverging = found.filter((finding) => finding !== null);
      return Response.json({ diverging, calls: heard.splice(0) } satisfies Findings);
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
