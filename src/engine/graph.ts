/**
 * Graphs: workflows whose steps say what they wait for. Each runs as soon as that lets it go, beside whatever else is
 * under way.
 *
 * The run ends once every step has: it fails with the first failure of a step that is not `optional`, else it completes
 * with what came of each step. A step that fails stops nothing but those that depend on its success.
 */
import type { StandardSchemaV1 } from "@standard-schema/spec";
import { type DeclaredStep, toDeclared } from "./declared.ts";
import type { Duration } from "./duration.ts";
import { InvalidGraph } from "./errors.ts";
import { readAppended } from "./graph/append.ts";
import { checkNodes, checkWork } from "./graph/check.ts";
import type { GraphOutput, Node, NodeContext, NodeResult, NodeWork } from "./graph/node.ts";
import { type Dependency, type GraphShape, toDependency } from "./graph/shape.ts";
import { GraphRun } from "./plan/graph.ts";
import { defineWorkflow, type StepContext, type Workflow } from "./workflow.ts";

interface Declared {
  /** Names of steps, which then release on success, or dependencies. */
  readonly after?: readonly (string | { readonly step: string; readonly release?: Dependency["release"] })[];
  /** Of several steps that may start, those with the highest are asked for first. Default 0. */
  readonly priority?: number;
  /** A label. The run's state `stage` is that of the step which started last. */
  readonly stage?: string;
  /** Its failure does not fail the run. */
  readonly optional?: boolean;
}

/** A step of a graph. */
export interface GraphStep<Input> extends Declared, DeclaredStep<NodeContext<Input>, unknown> {
  readonly gate?: never;
}

/**
 * A step that is done from outside: a signal of its name opens it, and what the signal carries is its output. While
 * it is closed, steps can be appended to the run.
 */
export interface Gate extends Omit<Declared, "priority"> {
  readonly gate: true;
  /** A gate that is not opened in time has failed. */
  readonly timeout?: Duration;
}

/** What appended steps can do: a body, or a step without its name and dependencies. */
export type Handler<Input> =
  | ((context: NodeContext<Input> & StepContext) => unknown)
  | DeclaredStep<NodeContext<Input>, unknown>;

export interface GraphDefinition<Schema extends StandardSchemaV1, Name extends string> {
  readonly name: string;
  readonly version?: number;
  readonly input?: Schema;
  readonly steps: { readonly [name in Name]: GraphStep<StandardSchemaV1.InferOutput<Schema>> | Gate };
  readonly handlers?: { readonly [name: string]: Handler<StandardSchemaV1.InferOutput<Schema>> };
}

/** What every step came to; also the steps that were appended. */
export type OutputOf<Name extends string> = { readonly [name in Name]: NodeResult } & GraphOutput;

/** Names a graph as a workflow. Throws `InvalidGraph`. */
export function defineGraph<
  Name extends string,
  Schema extends StandardSchemaV1 = StandardSchemaV1<unknown, unknown>,
>(definition: GraphDefinition<Schema, Name>): Workflow<StandardSchemaV1.InferOutput<Schema>, OutputOf<Name>> {
  const { name, handlers = {}, steps, ...options } = definition;
  const nodes = Object.entries<GraphStep<never> | Gate>(steps).map(([step, given]) =>
    toNode(name, step, given),
  );
  checkNodes(name, nodes);
  const bodies = new Map(Object.entries(handlers).map(([handler, given]) => [handler, toDeclared(given)]));
  for (const [handler, work] of bodies) checkWork(name, `handler "${handler}"`, work);
  const shape: GraphShape = { steps: nodes, handlers: [...bodies.keys()] };
  const workflow = defineWorkflow({ name, ...options }, async (context) => {
    const graph = new GraphRun(context, (request) => readAppended(request, bodies));
    return (await graph.finish(nodes)) as OutputOf<Name>;
  });
  return { ...workflow, graph: shape };
}

function toNode(graph: string, name: string, given: GraphStep<never> | Gate): Node {
  const refuse = (problem: string) => new InvalidGraph(graph, problem);
  if (typeof given !== "object" || given === null) throw refuse(`step "${name}" must be an object`);
  const { after = [], stage = null, optional = false } = given;
  const shared = {
    name,
    after: after.map((each) => toDependency(each, "onSuccess")),
    stage,
    optional,
    payload: null,
  };
  if (given.gate === true) {
    if ("run" in given) throw refuse(`gate "${name}" has a body, but it is done from outside`);
    return { ...shared, gate: true, work: null, priority: 0, timeout: given.timeout };
  }
  const { priority = 0 } = given;
  if (!Number.isFinite(priority)) throw refuse(`the priority of step "${name}" must be a number`);
  return { ...shared, gate: false, work: given as unknown as NodeWork, priority, timeout: undefined };
}
