import { encode } from "../engine/codec.ts";
import { type Duration, durationMs } from "../engine/duration.ts";
import { InvalidInput } from "../engine/refusals.ts";
import type { NewRun, Parent } from "../engine/run.ts";
import { check } from "../engine/schema.ts";
import type { Runtime } from "./runtime.ts";

/** What a start may say, whoever starts: a request, a parent, or a run that goes on as another. */
export interface StartRequest {
  readonly workflow: string;
  readonly version?: number | undefined;
  readonly input?: unknown;
  readonly idempotencyKey?: string | undefined;
  readonly tags?: readonly string[] | undefined;
  readonly startAt?: number | undefined;
  readonly delay?: Duration | undefined;
  readonly deadlineAt?: number | undefined;
  readonly deadline?: Duration | undefined;
  readonly parent?: Parent | null;
  readonly continuedFrom?: string;
}

/** Checks everything that can be checked without the database. Throws `WorkflowNotFound`, `InvalidInput`, `UnstorableValue`. */
export async function toNewRun(
  runtime: Pick<Runtime, "registry" | "newRunId" | "deployment">,
  request: StartRequest,
): Promise<NewRun> {
  const workflow = runtime.registry.find(request.workflow, request.version);
  const checked = await check(workflow.schema, request.input);
  if (checked.problems !== null) throw new InvalidInput(workflow.name, checked.problems);
  const { parent = null, continuedFrom = null } = request;
  return {
    id: runtime.newRunId(continuedFrom ?? parent?.runId),
    workflow: workflow.name,
    version: workflow.version,
    input: encode(checked.value, `The input of workflow "${workflow.name}"`),
    tags: [...new Set(request.tags)],
    idempotencyKey: request.idempotencyKey ?? null,
    startAt: request.startAt ?? null,
    delayMs: request.delay === undefined ? null : durationMs(request.delay),
    deadlineAt: request.deadlineAt ?? null,
    deadlineInMs: request.deadline === undefined ? null : durationMs(request.deadline),
    parent,
    continuedFrom,
    deployment: runtime.deployment,
  };
}
