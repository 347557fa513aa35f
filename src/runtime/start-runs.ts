/**
 * Starts runs.
 *
 * I9: when this resolves the runs are durable. Their wake-ups are hints: one that cannot be sent is
 * reported, and the sweep sends it again.
 */
import { encode } from "../engine/codec.ts";
import { DuplicateIdempotencyKey, InvalidInput } from "../engine/errors.ts";
import type { DueRun, NewRun, StartedRun } from "../engine/ports.ts";
import type { AnyWorkflow } from "../engine/workflow.ts";
import type { Runtime } from "./runtime.ts";

export interface StartRequest {
  readonly workflow: string;
  readonly version?: number | undefined;
  readonly input?: unknown;
  readonly idempotencyKey?: string | undefined;
  readonly tags?: readonly string[] | undefined;
  readonly startAt?: number | undefined;
  readonly delayMs?: number | undefined;
  readonly deadlineAt?: number | undefined;
  readonly deadlineInMs?: number | undefined;
}

/**
 * All or nothing. A request whose idempotency key has a run already gives that run, with `created` false.
 * Throws `WorkflowNotFound`, `InvalidInput`, `IdempotencyConflict`, `DuplicateIdempotencyKey`.
 */
export async function startRuns(
  runtime: Runtime,
  tenant: string,
  requests: readonly StartRequest[],
): Promise<StartedRun[]> {
  refuseDuplicateKeys(requests);
  const runs: NewRun[] = [];
  for (const request of requests) runs.push(await toNewRun(runtime, request));
  const started = await runtime.store.startRuns(tenant, runs);
  const due = started.filter((start) => start.created).map(toDueRun);
  await runtime.wakeUps
    .send(due)
    .catch((error: unknown) => runtime.report("sending wake-ups after a start", error));
  return started;
}

function toDueRun({ run, wakeInMs }: StartedRun): DueRun {
  return { tenant: run.tenant, runId: run.runId, wakeInMs };
}

async function toNewRun(runtime: Runtime, request: StartRequest): Promise<NewRun> {
  const workflow = runtime.registry.find(request.workflow, request.version);
  const input = await validate(workflow, request.input);
  return {
    id: runtime.newRunId(),
    workflow: workflow.name,
    version: workflow.version,
    input: encode(input, `The input of workflow "${workflow.name}"`),
    tags: [...new Set(request.tags)],
    idempotencyKey: request.idempotencyKey ?? null,
    startAt: request.startAt ?? null,
    delayMs: request.delayMs ?? null,
    deadlineAt: request.deadlineAt ?? null,
    deadlineInMs: request.deadlineInMs ?? null,
  };
}

async function validate(workflow: AnyWorkflow, input: unknown): Promise<unknown> {
  if (workflow.schema === undefined) return input;
  const result = await workflow.schema["~standard"].validate(input);
  if (result.issues === undefined) return result.value;
  const problems = result.issues.map(({ path, message }) => {
    const at = path?.map((part) => (typeof part === "object" ? String(part.key) : String(part))).join(".");
    return at ? `${at}: ${message}` : message;
  });
  throw new InvalidInput(workflow.name, problems);
}

function refuseDuplicateKeys(requests: readonly StartRequest[]): void {
  const seen = new Set<string>();
  for (const { workflow, idempotencyKey } of requests) {
    if (idempotencyKey === undefined) continue;
    const key = JSON.stringify([workflow, idempotencyKey]);
    if (seen.has(key)) throw new DuplicateIdempotencyKey(idempotencyKey, workflow);
    seen.add(key);
  }
}
