/** Steps of a graph with their bodies, what those are told, and what came of them. */
import type { DeclaredStep, Facts } from "../declared.ts";
import type { Duration } from "../duration.ts";
import type { ShapeStep } from "./shape.ts";

/** What came of a step. */
export type NodeResult =
  | { readonly status: "completed"; readonly output: unknown }
  | { readonly status: "failed"; readonly failure: NodeFailure }
  /** A step that it waits for did not complete, or was skipped itself. */
  | { readonly status: "skipped" };

/** The end of a step as the graph's output shows it, without stack traces. */
export interface NodeFailure {
  readonly code: string;
  readonly name: string;
  readonly message: string;
}

export type GraphOutput = { readonly [step: string]: NodeResult };

/** What the body of a graph's step is told, besides every step's context. */
export interface NodeContext<Input = unknown> {
  readonly input: Input;
  /** What the steps returned that this one waits for, directly or through others. */
  readonly results: { readonly [step: string]: unknown };
  /** Those of them that failed. */
  readonly failures: { readonly [step: string]: NodeFailure };
  /** What came with a step that was appended; otherwise null. */
  readonly payload: unknown;
  readonly run: Facts;
}

export type NodeWork = DeclaredStep<NodeContext<never>, unknown>;

/** A step of a graph, whether it was defined or appended. */
export interface Node extends ShapeStep {
  /** Null for a gate. */
  readonly work: NodeWork | null;
  readonly payload: unknown;
  readonly priority: number;
  readonly stage: string | null;
  /** Its failure does not fail the run. */
  readonly optional: boolean;
  /** Of a gate: how long it may stay closed. */
  readonly timeout: Duration | undefined;
}
