/**
 * Runs made from other runs, whatever the status of these: they are not touched.
 *
 * I9: when this resolves the new run is durable.
 */
import { encode } from "../engine/codec.ts";
import type { StartedRun } from "../engine/ports.ts";
import { InvalidInput, RunNotFound, UnknownStep, WorkflowNotFound } from "../engine/refusals.ts";
import type { RunDetail, RunRef } from "../engine/run.ts";
import { check } from "../engine/schema.ts";
import type { AnyWorkflow, Registry } from "../engine/workflow.ts";
import type { Runtime } from "./runtime.ts";
import { wakeDue } from "./wake-due.ts";

export interface ForkRequest {
  /** The step to begin at: what came before is reused. Without it nothing is. */
  readonly from?: string | undefined;
  /** Without it the version of the old run while that is registered, else the newest. */
  readonly version?: number | undefined;
  /** In place of the old run's. What is reused was computed from the old one. */
  readonly input?: { readonly value: unknown } | undefined;
  readonly idempotencyKey?: string | undefined;
}

/**
 * Starts a run with the workflow, the tags and, unless another is given, the input of an old one; what the old one
 * did before `from` counts as done. Throws `RunNotFound`, `WorkflowNotFound`, `InvalidInput`, `UnknownStep`,
 * `IdempotencyConflict`.
 */
export async function forkRun(runtime: Runtime, ref: RunRef, request: ForkRequest): Promise<StartedRun> {
  const source = await runtime.reads.forkSource(ref);
  if (source === null) throw new RunNotFound(ref.runId);
  const { run: old, hooks } = source;
  const workflow = findWorkflow(runtime.registry, old, request.version);
  const id = runtime.newRunId(old.runId);
  const forked = await runtime.store.forkRun(ref, {
    run: {
      id,
      workflow: workflow.name,
      version: workflow.version,
      input: request.input === undefined ? old.input : await toInput(workflow, request.input.value),
      tags: old.tags,
      idempotencyKey: request.idempotencyKey ?? null,
      startAt: null,
      delayMs: null,
      deadlineAt: null,
      deadlineInMs: null,
      parent: null,
      continuedFrom: null,
      deployment: runtime.deployment,
    },
    from: request.from ?? null,
    hooks: hooks.map((key) => ({ key, digest: runtime.hooks.digest(id, key) })),
  });
  if (forked === null) throw new UnknownStep(ref.runId, request.from ?? "");
  if (forked.created) {
    await wakeDue(runtime, [{ tenant: ref.tenant, runId: id, wakeInMs: forked.wakeInMs }], "after a fork");
  }
  return forked;
}

function findWorkflow(registry: Registry, old: RunDetail, version: number | undefined): AnyWorkflow {
  if (version !== undefined) return registry.find(old.workflow, version);
  try {
    return registry.find(old.workflow, old.version);
  } catch (error) {
    if (!(error instanceof WorkflowNotFound)) throw error;
    return registry.find(old.workflow);
  }
}

async function toInput(workflow: AnyWorkflow, value: unknown) {
  const checked = await check(workflow.schema, value);
  if (checked.problems !== null) throw new InvalidInput(workflow.name, checked.problems);
  return encode(checked.value, `The input of workflow "${workflow.name}"`);
}
