import type { StandardSchemaV1 } from "@standard-schema/spec";
import type { Duration } from "./duration.ts";
import { WorkflowNotFound } from "./errors.ts";
import type { Retry } from "./retry.ts";

/** What a step body is given. */
export interface StepContext {
  /** The same for every attempt of this step in this run, and for no other: hand it to what you call. */
  readonly idempotencyKey: string;
  /** Counted from 1. */
  readonly attempt: number;
  /** Aborts on the step's timeout, the run's deadline, and when the lease is lost: stop then. */
  readonly signal: AbortSignal;
  /** Renews the lease now. Rejects with `LeaseLost` when another invocation took over. */
  heartbeat(): Promise<void>;
}

/** The work of a step. What it returns is journaled; it may run again until that has happened. */
export type StepBody<T = unknown> = (context: StepContext) => T | Promise<T>;

export interface StepOptions {
  readonly retry?: Retry;
  /** How long one attempt may take. Without it an attempt may take as long as its invocation lives. */
  readonly timeout?: Duration;
}

/** What a workflow can do that lasts. Every call is awaited by replay in the order of the journal. */
export interface Steps {
  /** Does `body` once and journals what it returns. Rejects with `StepFailed` when its attempts are used up. */
  run<T>(name: string, body: StepBody<T>, options?: StepOptions): Promise<T>;
  /** Parks the run. Nothing runs meanwhile. Up to ten years. */
  sleep(name: string, duration: Duration): Promise<void>;
  /** Parks the run until `date`; a date in the past is over at once. */
  sleepUntil(name: string, date: Date): Promise<void>;
}

/** Facts of the run, the same in every replay. */
export interface RunFacts {
  readonly id: string;
  readonly workflow: string;
  readonly version: number;
  readonly tenant: string;
  readonly tags: readonly string[];
  readonly startedAt: Date;
}

export interface WorkflowContext<Input> {
  readonly input: Input;
  readonly step: Steps;
  readonly run: RunFacts;
}

/** A workflow as the registry knows it. Made by `defineWorkflow`. */
export interface Workflow<Input = unknown, Output = unknown> {
  readonly name: string;
  readonly version: number;
  readonly schema: StandardSchemaV1 | undefined;
  readonly run: (context: WorkflowContext<Input>) => Promise<Output>;
}

/** Any workflow, whatever it takes: `never` is what every input type can be called with. */
export type AnyWorkflow = Workflow<never, unknown>;

export interface WorkflowOptions<Schema extends StandardSchemaV1> {
  /** Lower-case letters, digits, `-` and `_`: it stands in URLs. */
  readonly name: string;
  /** Runs keep the version they started with. Default 1. */
  readonly version?: number;
  /** Any Standard Schema (zod, valibot, arktype …). A start whose input does not fit is refused. */
  readonly input?: Schema;
}

const NAME = /^[a-z0-9][a-z0-9_-]{0,99}$/;

/** Names a function as a workflow. Its input's type comes from the schema, its output's from the function. */
export function defineWorkflow<Output, Schema extends StandardSchemaV1 = StandardSchemaV1<unknown, unknown>>(
  options: WorkflowOptions<Schema>,
  run: (context: WorkflowContext<StandardSchemaV1.InferOutput<Schema>>) => Promise<Output>,
): Workflow<StandardSchemaV1.InferOutput<Schema>, Output> {
  const { name, version = 1, input } = options;
  if (!NAME.test(name)) {
    throw new TypeError(
      `Workflow name ${JSON.stringify(name)} must be lower-case letters, digits, "-" and "_".`,
    );
  }
  if (!Number.isInteger(version) || version < 1) {
    throw new TypeError(`Workflow "${name}": version must be a whole number from 1, not ${version}.`);
  }
  return { name, version, schema: input, run };
}

/** The workflows that this deployment knows, by name and version. */
export class Registry {
  private readonly byName = new Map<string, Map<number, AnyWorkflow>>();

  constructor(workflows: readonly AnyWorkflow[]) {
    for (const workflow of workflows) {
      const versions = this.byName.get(workflow.name) ?? new Map<number, AnyWorkflow>();
      if (versions.has(workflow.version)) {
        throw new TypeError(`Workflow "${workflow.name}" version ${workflow.version} is registered twice.`);
      }
      this.byName.set(workflow.name, versions.set(workflow.version, workflow));
    }
  }

  /** The given version, or the newest. Throws `WorkflowNotFound`. */
  find(name: string, version?: number): AnyWorkflow {
    const versions = this.byName.get(name);
    const wanted = version ?? Math.max(...(versions?.keys() ?? []));
    const workflow = versions?.get(wanted);
    if (workflow === undefined) throw new WorkflowNotFound(name, version, [...this.byName.keys()]);
    return workflow;
  }

  /** All of them, by name, newest version first. */
  list(): AnyWorkflow[] {
    return [...this.byName.values()]
      .flatMap((versions) => [...versions.values()])
      .sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : b.version - a.version));
  }
}
