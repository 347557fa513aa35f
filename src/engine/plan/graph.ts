/**
 * A graph as the workflow function that it comes down to: asks for every step as soon as its dependencies have let
 * it go, hears of steps that are appended while a gate is closed, and gives what came of each.
 *
 * I6: what it asks for follows from the definition and from what it was handed so far, and from nothing else.
 */
import { toOptions } from "../declared.ts";
import { GateTimedOut, StepFailed } from "../errors.ts";
import { toFailure } from "../failure.ts";
import type { GraphOutput, Node, NodeContext, NodeFailure, NodeResult, NodeWork } from "../graph/node.ts";
import type { WorkflowContext } from "../workflow.ts";
import { GRAPH, type GraphSteps, LAPSED } from "./steps.ts";

/** A sleep that ends in the turn after the one that skipped the last gate. */
const CLOSING = "graph closing";

/** What a graph calls its own steps: none of the user's can have these names. */
export const RESERVED: readonly string[] = [GRAPH, CLOSING, "set stage"];

export class GraphRun {
  private readonly nodes = new Map<string, Node>();
  private readonly ended = new Map<string, NodeResult>();
  /** Steps by what they wait for, and how many dependencies each has that have not ended. */
  private readonly dependents = new Map<string, string[]>();
  private readonly blocked = new Map<string, number>();
  private readonly context: WorkflowContext<unknown>;
  private readonly step: GraphSteps;
  private readonly toNodes: (request: unknown) => Node[];
  private readonly over = Promise.withResolvers<void>();
  private closedGates = 0;
  /**
   * A skipped gate, unlike one that a signal or its timeout opened, is known to the database only from the commit of
   * its turn on: what was appended until then comes with the next turn, which the run must not end before.
   */
  private closing: "not needed" | "needed" | "under way" | "done" = "not needed";
  private stopListening: (() => void) | null = null;
  private stage: string | null = null;
  private thrown: { readonly error: unknown } | null = null;

  /** `toNodes` reads an append request as it was stored. */
  constructor(context: WorkflowContext<unknown>, toNodes: (request: unknown) => Node[]) {
    this.context = context;
    this.step = context.step as GraphSteps;
    this.toNodes = toNodes;
  }

  /** Resolves once every step has ended; rejects then with the first failure of a step that is not optional. */
  async finish(defined: readonly Node[]): Promise<GraphOutput> {
    const released = this.add(defined);
    if (this.closedGates > 0) this.listen();
    this.release(released);
    await this.over.promise;
    if (this.thrown !== null) throw this.thrown.error;
    return Object.fromEntries(this.ended);
  }

  /** Gives those that wait for nothing. */
  private add(nodes: readonly Node[]): Node[] {
    for (const node of nodes) {
      this.nodes.set(node.name, node);
      if (node.gate) this.closedGates += 1;
    }
    return nodes.filter((node) => {
      const open = node.after.filter(({ step }) => !this.ended.has(step));
      for (const { step } of open) {
        const waiting = this.dependents.get(step) ?? [];
        this.dependents.set(step, waiting);
        waiting.push(node.name);
      }
      this.blocked.set(node.name, open.length);
      return open.length === 0;
    });
  }

  /** Asks for steps that nothing holds any more, those of the highest priority first; others are skipped. */
  private release(nodes: readonly Node[]): void {
    const free = [...nodes];
    const going: Node[] = [];
    for (let node = free.shift(); node !== undefined; node = free.shift()) {
      if (this.mayGo(node)) going.push(node);
      else if (node.gate) this.skipGate(node);
      else free.push(...this.note(node, { status: "skipped" }));
    }
    for (const node of going.sort((a, b) => b.priority - a.priority)) this.ask(node);
    this.closeUp();
  }

  private mayGo({ after }: Node): boolean {
    return after.every(
      ({ step, release }) => release === "onTerminal" || this.ended.get(step)?.status === "completed",
    );
  }

  private ask(node: Node): void {
    if (node.stage !== null && node.stage !== this.stage) {
      this.stage = node.stage;
      this.context.run.set("stage", node.stage);
    }
    const given =
      node.work === null ? this.step.gate(node.name, node.timeout) : this.perform(node, node.work);
    given.then(
      (output) => {
        if (output === LAPSED) this.fail(node, new GateTimedOut(node.name));
        else this.end(node, { status: "completed", output });
      },
      (error: unknown) => this.fail(node, error),
    );
  }

  private perform(node: Node, work: NodeWork): Promise<unknown> {
    const { input, run } = this.context;
    const context = () => ({ input: input as never, payload: node.payload, run, ...this.before(node) });
    return this.step.run(
      node.name,
      (given) => work.run({ ...context(), ...given }),
      toOptions(work, context),
    );
  }

  /** What the steps came to that it waits for, directly or through others: all of them have ended. */
  private before(node: Node): Pick<NodeContext, "results" | "failures"> {
    const results: [string, unknown][] = [];
    const failures: [string, NodeFailure][] = [];
    const seen = new Set<string>();
    const open = node.after.map(({ step }) => step);
    for (let name = open.pop(); name !== undefined; name = open.pop()) {
      if (seen.has(name)) continue;
      seen.add(name);
      const result = this.ended.get(name);
      if (result?.status === "completed") results.push([name, result.output]);
      else if (result?.status === "failed") failures.push([name, result.failure]);
      open.push(...(this.nodes.get(name)?.after.map(({ step }) => step) ?? []));
    }
    return { results: Object.fromEntries(results), failures: Object.fromEntries(failures) };
  }

  /** Journaled before anything follows from it: from then on nothing can be appended under the gate. */
  private skipGate(gate: Node): void {
    this.closing = "needed";
    this.step.skipGate(gate.name).then(() => this.end(gate, { status: "skipped" }));
  }

  private fail(node: Node, error: unknown): void {
    if (!node.optional) this.thrown ??= { error };
    const { code, name, message } = error instanceof StepFailed ? error.failure : toFailure(error);
    this.end(node, { status: "failed", failure: { code, name, message } });
  }

  private end(node: Node, result: NodeResult): void {
    this.release(this.note(node, result));
  }

  /** Gives the steps that nothing holds any more. */
  private note(node: Node, result: NodeResult): Node[] {
    this.ended.set(node.name, result);
    if (node.gate) this.closedGates -= 1;
    return (this.dependents.get(node.name) ?? []).flatMap((name) => {
      const left = (this.blocked.get(name) ?? 0) - 1;
      this.blocked.set(name, left);
      const dependent = this.nodes.get(name);
      return left === 0 && dependent !== undefined ? [dependent] : [];
    });
  }

  private listen(): void {
    const { request, withdraw } = this.step.appended();
    this.stopListening = withdraw;
    request.then(
      (given) => {
        const released = this.add(this.toNodes(given));
        this.listen();
        this.release(released);
      },
      (error: unknown) => this.over.reject(error),
    );
  }

  /** Ends what has nothing left to wait for. */
  private closeUp(): void {
    const isOver = this.ended.size === this.nodes.size;
    if (isOver && this.closing === "needed") {
      this.closing = "under way";
      this.step.sleep(CLOSING, 0).then(() => {
        this.closing = "done";
        this.closeUp();
      });
    }
    if (this.closing === "needed" || this.closing === "under way" || this.closedGates > 0) return;
    this.stopListening?.();
    this.stopListening = null;
    if (isOver) this.over.resolve();
  }
}
