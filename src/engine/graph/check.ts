/** What is wrong with a graph when it is defined. Everything throws `InvalidGraph`, with the step's name. */
import { durationMs } from "../duration.ts";
import { InvalidGraph } from "../errors.ts";
import { checkLabel, checkName, checkOptions } from "../plan/checks.ts";
import { RESERVED } from "../plan/graph.ts";
import type { Node, NodeWork } from "./node.ts";
import { findCycle } from "./shape.ts";

/** Names, dependencies, and that there is an order. */
export function checkNodes(graph: string, nodes: readonly Node[]): void {
  const refuse = (problem: string) => new InvalidGraph(graph, problem);
  if (nodes.length === 0) throw refuse("it has no steps");
  const known = new Set(nodes.map(({ name }) => name));
  for (const { name, gate, work, stage, timeout, after } of nodes) {
    if (RESERVED.includes(name)) throw refuse(`no step can be called "${name}", which the graph uses itself`);
    guard(graph, () => {
      checkName(name);
      if (gate) checkLabel("A gate", name);
      if (stage !== null) checkLabel(`The stage of step "${name}"`, stage);
      if (timeout !== undefined) durationMs(timeout);
    });
    if (work !== null) checkWork(graph, `step "${name}"`, work);
    const named = after.map(({ step }) => step);
    for (const [i, { step, release }] of after.entries()) {
      if (!known.has(step)) throw refuse(`step "${name}" waits for "${step}", which is no step of it`);
      if (named.indexOf(step) !== i) throw refuse(`step "${name}" names "${step}" twice`);
      if (release !== "onSuccess" && release !== "onTerminal") {
        throw refuse(
          `step "${name}" has "${String(release)}" where only "onSuccess" and "onTerminal" release`,
        );
      }
    }
  }
  const cycle = findCycle(nodes);
  if (cycle !== null)
    throw refuse(`its steps wait for each other: ${cycle.map((step) => `"${step}"`).join(" → ")}`);
}

/** A body and how it is tried. */
export function checkWork(graph: string, what: string, work: NodeWork): void {
  if (typeof work?.run !== "function") throw new InvalidGraph(graph, `${what} needs a function to run`);
  const { maxAttempts, backoff, timeout, compensate } = work;
  guard(graph, () =>
    checkOptions(what, { retry: { maxAttempts, backoff } as never, timeout, compensate } as never),
  );
}

/** What a check says, as a problem of the graph. */
function guard(graph: string, check: () => void): void {
  try {
    check();
  } catch (error) {
    throw new InvalidGraph(graph, error instanceof Error ? error.message.replace(/\.$/, "") : String(error));
  }
}
