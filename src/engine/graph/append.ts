/** Requests that append steps, against the graph that they are for. */
import { InvalidStep } from "../errors.ts";
import { type CanonicalRequest, QUEUED, readStored } from "../mutation.ts";
import { checkName } from "../plan/checks.ts";
import { RESERVED } from "../plan/graph.ts";
import { InvalidAppend } from "../refusals.ts";
import type { Node, NodeWork } from "./node.ts";
import { findCycle, type GraphShape } from "./shape.ts";

/**
 * Throws `InvalidAppend` for what does not fit a graph of this shape to which `before` was appended, in a run of this
 * tenant.
 */
export function checkAppend(
  shape: GraphShape,
  before: readonly CanonicalRequest[],
  { gate, steps }: CanonicalRequest,
  tenant: string,
): void {
  const problem = (text: string) => new InvalidAppend(text);
  if (!shape.steps.some((step) => step.gate && step.name === gate))
    throw problem(`the graph has no gate "${gate}"`);
  if (steps.length === 0) throw problem("there are none");
  const existing = new Set(
    [...shape.steps, ...before.flatMap((request) => request.steps)].map(({ name }) => name),
  );
  const added = new Set<string>();
  for (const { name } of steps) {
    checkStepName(name);
    if (existing.has(name)) throw problem(`the graph has a step "${name}" already`);
    if (added.has(name)) throw problem(`two of them are called "${name}"`);
    added.add(name);
  }
  for (const step of steps) {
    const { name, handler, after } = step;
    if (!shape.handlers.includes(handler))
      throw problem(`step "${name}" has the handler "${handler}", which the graph has not`);
    if (step.tenant !== tenant)
      throw problem(`step "${name}" is for the tenant "${step.tenant}", which is not the run's`);
    for (const [i, dependency] of after.entries()) {
      if (!existing.has(dependency.step) && !added.has(dependency.step)) {
        throw problem(`step "${name}" waits for "${dependency.step}", which is no step of the graph`);
      }
      if (after[i - 1]?.step === dependency.step)
        throw problem(`step "${name}" names "${dependency.step}" twice`);
    }
  }
  const cycle = findCycle(steps.map((step) => ({ ...step, gate: false })));
  if (cycle !== null)
    throw problem(`they wait for each other: ${cycle.map((name) => `"${name}"`).join(" → ")}`);
}

/** The steps of a stored request, with the handlers that do them. */
export function readAppended(stored: unknown, handlers: ReadonlyMap<string, NodeWork>): Node[] {
  // Its tenant is the run's, or it would not have been stored.
  return readStored(stored, "").steps.map(({ name, handler, payload, after, priority, stage, ...trying }) => {
    const work = handlers.get(handler) ?? gone(handler);
    const { maxAttempts, timeout } = trying;
    return {
      name,
      gate: false,
      after,
      payload,
      priority: priority ?? 0,
      stage: stage === QUEUED ? null : stage,
      optional: false,
      timeout: undefined,
      work: {
        ...work,
        ...(maxAttempts === null ? {} : { maxAttempts }),
        ...(timeout === null ? {} : { timeout }),
      },
    };
  });
}

/** A body in the place of a handler that the code no longer has. */
function gone(handler: string): NodeWork {
  return {
    run: () => {
      throw new InvalidStep(
        `The graph no longer has the handler "${handler}" that this step was appended with.`,
      );
    },
  };
}

function checkStepName(name: string): void {
  try {
    checkName(name);
  } catch (error) {
    throw new InvalidAppend(error instanceof Error ? error.message.replace(/\.$/, "") : String(error));
  }
  if (RESERVED.includes(name)) {
    throw new InvalidAppend(`no step can be called "${name}", which the graph uses itself`);
  }
}
