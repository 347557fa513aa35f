import type { StandardSchemaV1 } from "@standard-schema/spec";
import type { Duration } from "./duration.ts";
import type { NewEvent } from "./event.ts";
import type { GraphShape } from "./graph/shape.ts";
import { WorkflowNotFound } from "./refusals.ts";
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

export interface StepOptions<T = unknown> {
  readonly retry?: Retry;
  /** How long one attempt may take. Without it an attempt may take as long as its invocation lives. */
  readonly timeout?: Duration;
  /** How long an attempt may go without calling `heartbeat` before it counts as failed. */
  readonly heartbeat?: Duration;
  /**
   * The body runs at most once: it is noted before it begins. Whether one that was cut off did its work is
   * for a person to say; until then the run waits. A body that throws is not tried again.
   */
  readonly atMostOnce?: boolean;
  /** Undoes the step when the run fails, or is cancelled with `compensate`; the last step that completed comes first. */
  readonly compensate?: (context: CompensationContext<T>) => unknown;
}

/** What a compensator is given: what its step returned, and what every step body gets. */
export interface CompensationContext<T> extends StepContext {
  readonly output: T;
}

/** What a transaction may do besides its statements. */
export interface TransactionContext extends Pick<StepContext, "idempotencyKey" | "attempt" | "signal"> {
  /** An event that goes out if and only if the transaction commits. */
  emit(event: NewEvent): void;
}

/** `tx` is a Drizzle transaction on the Postgres that holds the runs. */
export type TransactionBody<T = unknown> = (tx: Transaction, context: TransactionContext) => T | Promise<T>;

/**
 * What `step.transaction` hands to its body. `src/pawl.ts` gives it Drizzle's type; the engine, which imports
 * no database, knows that there is something.
 */
// biome-ignore lint/suspicious/noEmptyInterface: it is filled by declaration merging
export interface Transaction {}

/** How far transactions that run side by side are kept apart; Postgres says what each promises. */
export const ISOLATIONS = ["read committed", "repeatable read", "serializable"] as const;
export type Isolation = (typeof ISOLATIONS)[number];

export interface TransactionOptions<T = unknown> extends StepOptions<T> {
  /**
   * Default `read committed`. What conflicts under the stricter ones is done again, body and all, up to five times in
   * one attempt.
   */
  readonly isolation?: Isolation;
}

export interface MapOptions<T = unknown> extends StepOptions<T> {
  /** How many items are under way at once. Default 100. */
  readonly concurrency?: number;
}

export interface WaitOptions<T> {
  /** Checks and types what arrives; what does not fit fails the step. */
  readonly schema?: StandardSchemaV1<unknown, T>;
}

type Timeout = { readonly timeout: Duration };

/** A one-time address. Whoever posts to it resumes the run. */
export interface Hook {
  readonly url: string;
  /** Parks the run until somebody has posted; gives the JSON they sent. */
  received<T = unknown>(options: WaitOptions<T> & Timeout): Promise<T | null>;
  received<T = unknown>(options?: WaitOptions<T>): Promise<T>;
}

/**
 * `broadcast`: every subscriber gets every message. `competing`: every message goes to one of them. `direct`:
 * every message names the run that gets it.
 */
export type ChannelMode = "broadcast" | "competing" | "direct";

export interface ChildOptions {
  readonly tags?: readonly string[];
  readonly delay?: Duration;
  /** How long the child may take. */
  readonly deadline?: Duration;
}

/** What a workflow can do that lasts. Every call is awaited by replay in the order of the journal. */
export interface Steps {
  /** Does `body` once and journals what it returns. Rejects with `StepFailed` when its attempts are used up. */
  run<T>(name: string, body: StepBody<T>, options?: StepOptions<T>): Promise<T>;
  /**
   * Does `body` inside a transaction on the Postgres that holds the runs: its writes, its events and the
   * journal entry commit together or not at all.
   */
  transaction<T>(name: string, body: TransactionBody<T>, options?: TransactionOptions<T>): Promise<T>;
  /** Does `body` for every item, each in an invocation of its own. With `tolerate`, so many may fail. */
  map<I, T>(
    name: string,
    items: readonly I[],
    body: (item: I, context: StepContext & { readonly index: number }) => T | Promise<T>,
    options: MapOptions<T> & { readonly tolerate: number },
  ): Promise<PromiseSettledResult<T>[]>;
  map<I, T>(
    name: string,
    items: readonly I[],
    body: (item: I, context: StepContext & { readonly index: number }) => T | Promise<T>,
    options?: MapOptions<T>,
  ): Promise<T[]>;
  /** Parks the run. Nothing runs meanwhile. Up to ten years. */
  sleep(name: string, duration: Duration): Promise<void>;
  /** Parks the run until `date`; a date in the past is over at once. */
  sleepUntil(name: string, date: Date): Promise<void>;
  /** Parks the run until a signal arrives, `name` unless `signal` says another. One that came earlier counts. Null on timeout. */
  waitForSignal<T = unknown>(
    name: string,
    options: WaitOptions<T> & Timeout & { readonly signal?: string },
  ): Promise<T | null>;
  waitForSignal<T = unknown>(
    name: string,
    options?: WaitOptions<T> & { readonly signal?: string },
  ): Promise<T>;
  /** Sends a signal to another run, once. */
  sendSignal(name: string, to: string, signal: string, payload?: unknown): Promise<void>;
  /** Makes a one-time, unguessable URL. */
  hook(name: string, options?: { readonly expires?: Duration }): Promise<Hook>;
  /** Messages published from now on are this run's too. Fails when the channel is used in another mode. */
  subscribe(channel: string, options?: { readonly mode?: ChannelMode }): Promise<void>;
  unsubscribe(channel: string): Promise<void>;
  /** Parks the run until the channel has a message for it. Null on timeout. */
  receive<T = unknown>(channel: string, options: WaitOptions<T> & Timeout): Promise<T | null>;
  receive<T = unknown>(channel: string, options?: WaitOptions<T>): Promise<T>;
  /** `to` names the run that a message of a direct channel is for. */
  publish(channel: string, payload: unknown, options?: { readonly to?: string }): Promise<void>;
  /** Starts a child run and waits for what it returns. Rejects with `ChildFailed` however else it ends. */
  invoke<Input, Output>(
    name: string,
    workflow: Workflow<Input, Output>,
    input: NoInfer<Input>,
    options?: ChildOptions,
  ): Promise<Output>;
  /** Starts a run that nobody waits for; gives its id. */
  start<Input>(
    name: string,
    workflow: Workflow<Input>,
    input: NoInfer<Input>,
    options?: ChildOptions,
  ): Promise<string>;
  /** Sends an event to the configured sinks, at least once, after this turn's commit. */
  emit(name: string, event: NewEvent): Promise<void>;
  /** The time, a random number from 0 to 1, a UUID: journaled, so that every replay sees the same. */
  now(): Promise<Date>;
  random(): Promise<number>;
  uuid(): Promise<string>;
  /** Ends this run and goes on as another one of the same workflow, with this input and a fresh journal. Never returns. */
  continueAsNew(input: unknown): Promise<never>;
}

/** Facts of the run, the same in every replay, and what it tells others about itself. */
export interface RunFacts {
  readonly id: string;
  readonly workflow: string;
  readonly version: number;
  readonly tenant: string;
  readonly tags: readonly string[];
  readonly startedAt: Date;
  /** 1, and one more for every revive. */
  readonly attempt: number;
  /** The run that started this one. */
  readonly parent: string | null;
  /** Becomes a member of a group of runs, which can be signalled together. */
  join(group: string): Promise<void>;
  leave(group: string): Promise<void>;
  /** Shows others how far the run has come: `GET /api/runs/:id/state`. */
  set(key: string, value: unknown): Promise<void>;
  /** Adds to the array under the key. */
  append(key: string, value: unknown): Promise<void>;
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
  /** The timer or the I/O that the function began last outside a step, in any run; set where somebody listens for them. */
  readonly lastCall?: () => string | undefined;
  /** Of a workflow made by `defineGraph`: what steps can be appended to. */
  readonly graph?: GraphShape;
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

/** What an integer of Postgres can hold. */
const VERSION_LIMIT = 2_147_483_647;

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
  if (!Number.isInteger(version) || version < 1 || version > VERSION_LIMIT) {
    throw new TypeError(
      `Workflow "${name}": version must be a whole number from 1 to ${VERSION_LIMIT}, not ${version}.`,
    );
  }
  return { name, version, schema: input, run };
}

/** The workflows that this deployment knows, by name and version. */
/** The versions that a deployment has of each workflow. */
export type KnownVersions = Readonly<Record<string, readonly number[]>>;

export class Registry {
  private readonly byName = new Map<string, Map<number, AnyWorkflow>>();
  readonly known: KnownVersions;

  constructor(workflows: readonly AnyWorkflow[]) {
    for (const workflow of workflows) {
      const versions = this.byName.get(workflow.name) ?? new Map<number, AnyWorkflow>();
      if (versions.has(workflow.version)) {
        throw new TypeError(`Workflow "${workflow.name}" version ${workflow.version} is registered twice.`);
      }
      this.byName.set(workflow.name, versions.set(workflow.version, workflow));
    }
    const known = Array.from(this.byName, ([name, versions]) => [name, [...versions.keys()]] as const);
    this.known = Object.fromEntries(known);
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
