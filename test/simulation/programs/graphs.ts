/** Graphs: dependencies, gates, steps that are appended. */
import type { NodeContext, NodeResult } from "../../../src/engine/graph/node.ts";
import type { ShapeStep } from "../../../src/engine/graph/shape.ts";
import { type CanonicalRequest, readStored } from "../../../src/engine/mutation.ts";
import type { StepContext } from "../../../src/engine/workflow.ts";
import { defineGraph } from "../../../src/pawl.ts";
import { appendSteps } from "../../../src/runtime/append-steps.ts";
import type { Simulation } from "../simulation.ts";
import type { Outcome } from "./outcome.ts";
import { MINUTE, type Program, type Request, signal } from "./program.ts";

export function graphPrograms(world: Simulation): readonly Program[] {
  return [assembly(world), fragile(world)];
}

/** What a step knows of those before it. */
function sees(world: Simulation, name: string) {
  return async (context: NodeContext & StepContext) => {
    await world.effect(name, context);
    return known(context.results);
  };
}

function known(results: object): string {
  return Object.keys(results).sort().join("+");
}

/** Steps in layers, a gate that somebody opens, one that nobody may open in time, and steps that users append. */
function assembly(world: Simulation): Program {
  const run = (name: string) => ({ run: sees(world, name) });
  const breaks = async (context: StepContext) => {
    await world.effect("shaky", context);
    throw new Error("it shakes");
  };
  const workflow = defineGraph({
    name: "assembly",
    steps: {
      plan: run("plan"),
      left: { ...run("left"), after: ["plan"] },
      right: { ...run("right"), after: ["plan"], priority: 1, stage: "right" },
      approved: { gate: true, after: ["plan"] },
      in_time: { gate: true, timeout: 2 * MINUTE, optional: true },
      shaky: { run: breaks, after: ["plan"], optional: true, maxAttempts: 1 },
      mend: { ...run("mend"), after: [{ step: "shaky", release: "onTerminal" }] },
      never: { ...run("never"), after: ["shaky"] },
      needless: { gate: true, after: ["shaky"] },
      bonus: { ...run("bonus"), after: ["in_time"] },
      ship: { ...run("ship"), after: ["left", "right", "approved"], stage: "ship" },
    },
    handlers: { extra: (context) => sees(world, "extra")(context) },
  });
  const extra = (what: string, gate: string, steps: Record<string, readonly string[]>): Request => ({
    what,
    send: (runtime, ref) =>
      appendSteps(runtime, ref, what, {
        gate,
        steps: Object.entries(steps).map(([name, after]) => ({ name, handler: "extra", after })),
      }),
  });
  /** The same key with other steps, which the graph cannot have either. */
  const another = (key: string, gate: string): Request => ({
    what: "another request with that key",
    send: (runtime, ref) =>
      appendSteps(runtime, ref, key, { gate, steps: [{ name: "third", handler: "unheard of" }] }),
  });
  return {
    workflow,
    requests: [
      extra("chain of two", "approved", { second: ["first"], first: [] }),
      extra("after left", "in_time", { polish: ["left"] }),
      another("chain of two", "approved"),
      signal("approved", "approval", "yes"),
      signal("in_time", "hurry", "quick"),
    ],
    wrong: (outcome) => wrongGraph(workflow.graph?.steps ?? [], outcome),
  };
}

/** A graph that fails with a step of it, when all others have ended. */
function fragile(world: Simulation): Program {
  const workflow = defineGraph({
    name: "fragile",
    steps: {
      stone: { run: sees(world, "stone") },
      glass: {
        maxAttempts: 2,
        run: async (context) => {
          await world.effect("glass", context);
          throw new Error("shards");
        },
      },
      house: { run: sees(world, "house"), after: ["stone", "glass"] },
      shed: { run: sees(world, "shed"), after: ["stone"] },
    },
  });
  return {
    workflow,
    forkAt: null,
    wrong: ({ status, stored, effects }) => {
      if (status !== "failed" || stored.row.failure?.step !== "glass") return `it ${status}`;
      if (effects.includes("house")) return "its house stands on broken glass";
      return effects.includes("shed") ? null : "it has no shed";
    },
  };
}

/** Nobody opens its gate. */
export function bolted(world: Simulation): Program {
  const workflow = defineGraph({
    name: "bolted",
    steps: {
      knock: { run: sees(world, "knock") },
      bolt: { gate: true, after: ["knock"], timeout: MINUTE },
      enter: { run: sees(world, "enter"), after: ["bolt"] },
    },
  });
  return {
    workflow,
    wrong: ({ status, stored, effects }) => {
      if (effects.includes("enter")) return "it went through a closed gate";
      return status === "failed" && stored.row.failure?.code === "gate_timed_out" ? null : `it ${status}`;
    },
  };
}

/** Every step once, never before its dependencies; what was appended is part of it. */
function wrongGraph(defined: readonly ShapeStep[], outcome: Outcome): string | null {
  if (outcome.status !== "completed") return `it ${outcome.status}`;
  const output = outcome.output as Record<string, NodeResult>;
  const { appended, wrong } = wrongAppends(outcome);
  const nodes = [...defined, ...appended];
  const names = nodes.map(({ name }) => name).sort();
  if (Object.keys(output).sort().join() !== names.join())
    return `its steps are ${Object.keys(output).join()}`;
  for (const node of nodes) {
    const problem = wrongNode(node, nodes, output, outcome);
    if (problem !== null) return `step ${node.name} ${problem}`;
  }
  return wrong;
}

/** Steps that were promised are there: all of a request, and of none that was refused. */
function wrongAppends({ stored, told }: Outcome): { appended: readonly ShapeStep[]; wrong: string | null } {
  const wrong = [...told].flatMap(([what, answer]) => {
    const isThere = stored.mutations.has(what);
    if (answer === "ok" && !isThere && isAppend(what)) return [`it lost what was appended as ${what}`];
    return answer !== "ok" && isThere ? [`it has what was refused as ${what}`] : [];
  });
  const requests = [...stored.mutations.values()].map(({ request }) => readStored(request, ""));
  return { appended: requests.flatMap(shapesOf), wrong: wrong[0] ?? null };
}

function isAppend(what: string): boolean {
  return what === "chain of two" || what === "after left";
}

function shapesOf({ steps }: CanonicalRequest): ShapeStep[] {
  return steps.map(({ name, after }) => ({ name, after, gate: false }));
}

function wrongNode(
  { name, gate, after }: ShapeStep,
  nodes: readonly ShapeStep[],
  output: Record<string, NodeResult>,
  { journal }: Outcome,
): string | null {
  const result = output[name];
  const endOf = (step: string) =>
    journal.filter(({ key, outcome }) => key === step && outcome !== "retrying");
  const [end, ...more] = endOf(name);
  if (more.length > 0) return `ended ${1 + more.length} times`;
  const mayGo = after.every(
    ({ step, release }) => release === "onTerminal" || output[step]?.status === "completed",
  );
  if (mayGo === (result?.status === "skipped")) return `is ${result?.status}`;
  for (const { step } of after) {
    const [before] = endOf(step);
    if (end !== undefined && before !== undefined && before.seq > end.seq) return `came before ${step}`;
  }
  if (gate || result?.status !== "completed") return null;
  const seen = ancestors(name, nodes).filter((step) => output[step]?.status === "completed");
  return result.output === seen.sort().join("+")
    ? null
    : `knew of ${result.output} and not of ${seen.join("+")}`;
}

/** The steps that it waits for, directly or through others. */
function ancestors(name: string, nodes: readonly ShapeStep[]): string[] {
  const found = new Set<string>();
  const open = [name];
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    for (const { step } of nodes.find((node) => node.name === next)?.after ?? []) {
      if (!found.has(step)) open.push(step);
      found.add(step);
    }
  }
  return [...found];
}
