import { StoreUnavailable } from "../engine/errors.ts";
import { checkAppend } from "../engine/graph/append.ts";
import {
  type AppendRequest,
  type CanonicalRequest,
  isSameRequest,
  readStored,
  toCanonical,
} from "../engine/mutation.ts";
import { GRAPH } from "../engine/plan/steps.ts";
import { GateOpen, MutationConflict, NotAGraph, RunNotFound, WrongStatus } from "../engine/refusals.ts";
import type { RunRef } from "../engine/run.ts";
import type { Runtime } from "./runtime.ts";
import { wakeDue } from "./wake-due.ts";

/** What a mutation key stands for; `created` is false when it had done so before. */
export interface AppendedSteps {
  readonly request: CanonicalRequest;
  readonly created: boolean;
}

/** Each of these tries was overtaken by another append, which went through. */
const TRIES = 25;

/**
 * Appends steps to the graph of a live run, while the gate that the request names is closed. The same key with the same
 * request is answered as before, whatever has become of the run. Nothing is stored of what is refused: throws
 * `RunNotFound`, `NotAGraph`, `InvalidAppend`, `MutationConflict`, `GateOpen`, `WrongStatus`, `WorkflowNotFound`,
 * `UnstorableValue`, `InvalidDuration`.
 */
export async function appendSteps(
  runtime: Runtime,
  ref: RunRef,
  key: string,
  given: AppendRequest,
): Promise<AppendedSteps> {
  const { runId, tenant } = ref;
  const run = await runtime.reads.run(ref);
  if (run === null) throw new RunNotFound(runId);
  const { graph } = runtime.registry.find(run.workflow, run.version);
  if (graph === undefined) throw new NotAGraph(runId, run.workflow);
  const request = toCanonical(given, tenant);
  for (let i = 0; i < TRIES; i++) {
    const known = await runtime.store.mutations(ref);
    const same = known.find((mutation) => mutation.key === key);
    if (same !== undefined) {
      if (isSameRequest(readStored(same.request, tenant), request)) return { request, created: false };
      throw new MutationConflict(runId, key);
    }
    const before = known.map((mutation) => readStored(mutation.request, tenant));
    checkAppend(graph, before, request, tenant);
    const keyed = known.filter((mutation) => mutation.key !== null);
    const mutation = { key, gate: given.gate, name: GRAPH, request, known: keyed.length };
    const { result, due } = await runtime.store.appendSteps(ref, mutation);
    await wakeDue(runtime, due, "after steps were appended");
    if (result === "appended") return { request, created: true };
    if (result === "gate_open") throw new GateOpen(runId, given.gate);
    if (result === "not_found") throw new RunNotFound(runId);
    if (result !== "outdated") throw new WrongStatus(runId, result, "appended to", "live and dead");
  }
  throw new StoreUnavailable(new Error(`${TRIES} appends to run ${runId} were overtaken by others`));
}
