/**
 * The planner for workflows that are functions: runs the function again, hands it what the journal knows,
 * and sees what it asks for next.
 *
 * I6: recorded outcomes are handed over in journal order, one at a time, letting the function run until it
 *     asks for more. Handing them over together would let two branches that use the same step name swap
 *     their results.
 * I7: a function that disagrees with its journal makes the plan `stuck`, with both sides named. It is never
 *     given another step's result.
 * I8: suspending is reached, never thrown: a promise that has no outcome yet simply does not settle, so no
 *     `catch` or `finally` of the user's can swallow it.
 */
import { decode } from "../codec.ts";
import { durationMs } from "../duration.ts";
import type { Edge, Plan, SleepEdge, StepEdge, When } from "../edge.ts";
import { InvalidStep, JournalMismatch, StepFailed, WorkflowStalled } from "../errors.ts";
import {
  type Attempts,
  type EntryKind,
  type Reading,
  readJournal,
  type Settled,
  type Timer,
} from "../journal.ts";
import type { ClaimedRun } from "../run.ts";
import type { AnyWorkflow, StepBody, StepOptions, Steps, Workflow } from "../workflow.ts";

/** How the engine waits for the user's code without a clock of its own. */
export interface Rest {
  /** Resolves once every microtask that can run has run. */
  settled(): Promise<void>;
  /** Like `settled`, but also gives real time to whatever the code wrongly awaits outside a step. */
  grace(): Promise<void>;
}

/** What the function asked for and has not been given. */
interface Pending {
  readonly ask: Ask;
  resolve(value: unknown): void;
  reject(error: unknown): void;
}

type Ask =
  | {
      readonly kind: "step";
      readonly key: string;
      readonly name: string;
      readonly body: StepBody;
      readonly options: StepOptions;
    }
  | { readonly kind: "sleep"; readonly key: string; readonly due: When };

type Ending =
  | { readonly state: "finished"; readonly output: unknown }
  | { readonly state: "threw"; readonly thrown: unknown };

/** How often code that waits for nothing is given grace before it counts as stalled. */
const GRACES = 50;
const STEP_NAME_LIMIT = 200;

export class Replay {
  private readonly workflow: AnyWorkflow;
  private readonly run: ClaimedRun;
  private readonly rest: Rest;
  private readonly reading: Reading;
  private readonly timers: ReadonlyMap<string, Timer>;
  private readonly recorded: ReadonlyMap<string, EntryKind>;
  private readonly pending = new Map<string, Pending>();
  private readonly reached = new Set<string>();
  private readonly uses = new Map<string, number>();
  private ending: Ending | undefined;
  private mismatch: JournalMismatch | undefined;
  private performing: string | undefined;
  /** Set by `retrying`: attempts of this very turn, which the journal that was read does not hold. */
  private readonly retries = new Map<string, Attempts & { readonly due: When }>();

  constructor(workflow: AnyWorkflow, run: ClaimedRun, rest: Rest) {
    this.workflow = workflow;
    this.run = run;
    this.rest = rest;
    this.reading = readJournal(run.journal);
    this.timers = new Map(run.timers.map((timer) => [timer.key, timer]));
    const kinds: [string, EntryKind][] = [
      ...this.reading.settled.map((entry): [string, EntryKind] => [entry.key, entry.kind]),
      ...[...this.reading.attempts].map(([key, attempts]): [string, EntryKind] => [key, attempts.kind]),
      ...run.timers.map((timer): [string, EntryKind] => [timer.key, "sleep"]),
    ];
    this.recorded = new Map(kinds);
  }

  /** Runs the function up to where the journal ends. */
  async start(input: unknown): Promise<Plan> {
    this.call(input);
    for (const entry of this.reading.settled) {
      if (!(await this.awaits(entry.key))) break;
      this.handOver(entry);
    }
    await this.comeToRest();
    return this.plan(this.reading.settled.filter((entry) => !this.reached.has(entry.key)));
  }

  /** Hands over an outcome of this very turn, and looks ahead. */
  async deliver(entry: Settled): Promise<Plan> {
    this.handOver(entry);
    await this.comeToRest();
    return this.plan([]);
  }

  /** Notes that an attempt made in this turn failed and will be followed by another. */
  retrying(key: string, attempts: Attempts, due: When): Plan {
    this.retries.set(key, { ...attempts, due });
    return { state: "resting", edges: this.edges() };
  }

  /** Runs a step body; meanwhile the workflow rests, so a step call can only come from inside that body. */
  async during<T>(key: string, perform: () => Promise<T>): Promise<T> {
    this.performing = key;
    try {
      return await perform();
    } finally {
      this.performing = undefined;
    }
  }

  private call(input: unknown): void {
    const { tenant, runId, workflow, version, tags, startedAt } = this.run;
    const facts = { id: runId, workflow, version, tenant, tags, startedAt: new Date(startedAt) };
    const { run } = this.workflow as Workflow;
    // `then` first: a function that throws before its first await must not throw here.
    Promise.resolve()
      .then(() => run({ input, step: this.steps(), run: facts }))
      .then(
        (output) => {
          this.ending ??= { state: "finished", output };
        },
        (thrown: unknown) => {
          this.ending ??= { state: "threw", thrown };
        },
      );
  }

  /**
   * Lets the function run until it waits for `key`. False when it never does.
   *
   * It comes to rest before every outcome, as it did when the outcome was new: even with nothing else
   * pending, a fork that awaits no step may still be under way, and what it does next may matter.
   */
  private async awaits(key: string): Promise<boolean> {
    await this.comeToRest();
    return this.mismatch === undefined && (this.pending.has(key) || this.reached.has(key));
  }

  private handOver(entry: Settled): void {
    const pending = this.pending.get(entry.key);
    this.pending.delete(entry.key);
    if (entry.outcome === "completed")
      pending?.resolve(entry.output === null ? undefined : decode(entry.output));
    else if (entry.failure !== null) pending?.reject(new StepFailed(entry.key, entry.attempt, entry.failure));
  }

  /** With nothing pending, the code can only be awaiting something that is not a step: give that some time. */
  private async comeToRest(): Promise<void> {
    await this.rest.settled();
    for (let i = 0; i < GRACES && this.isStalled(); i++) await this.rest.grace();
  }

  private plan(unreached: readonly Settled[]): Plan {
    if (this.mismatch !== undefined) return { state: "stuck", error: this.mismatch };
    const lost = unreached.find((entry) => !this.reached.has(entry.key))?.key ?? this.unreachedKey();
    if (lost !== undefined) {
      const kind = this.recorded.get(lost) ?? "step";
      return { state: "stuck", error: JournalMismatch.notReached(lost, kind, [...this.pending.keys()]) };
    }
    if (this.ending !== undefined) return this.ending;
    if (this.pending.size === 0) return { state: "stuck", error: new WorkflowStalled(this.workflow.name) };
    return { state: "resting", edges: this.edges() };
  }

  private isStalled(): boolean {
    return this.ending === undefined && this.mismatch === undefined && this.pending.size === 0;
  }

  private unreachedKey(): string | undefined {
    return [...this.recorded.keys()].find((key) => !this.reached.has(key));
  }

  private edges(): Edge[] {
    return [...this.pending.values()].map(({ ask }) =>
      ask.kind === "step" ? this.stepEdge(ask) : this.sleepEdge(ask),
    );
  }

  private stepEdge(ask: Ask & { kind: "step" }): StepEdge {
    const retry = this.retries.get(ask.key);
    const before = retry ?? this.reading.attempts.get(ask.key);
    const due = retry?.due ?? (before?.retryAt == null ? null : { at: before.retryAt });
    return { ...ask, attempt: (before?.last ?? 0) + 1, spent: before?.spent ?? 0, due };
  }

  private sleepEdge(ask: Ask & { kind: "sleep" }): SleepEdge {
    const timer = this.timers.get(ask.key);
    return {
      kind: "sleep",
      key: ask.key,
      due: timer === undefined ? ask.due : { at: timer.dueAt },
      begunAt: timer?.begunAt ?? null,
    };
  }

  private steps(): Steps {
    return {
      run: <T>(name: string, body: StepBody<T>, options: StepOptions = {}) => {
        const check = () => {
          if (typeof body !== "function") throw new InvalidStep(`Step "${name}" needs a function to run.`);
          checkOptions(name, options);
        };
        return this.ask<T>(name, check, (key) => ({ kind: "step", key, name, body, options }));
      },
      sleep: (name, duration) => {
        let due: When = { inMs: 0 };
        const check = () => {
          due = { inMs: durationMs(duration) };
        };
        return this.ask<void>(name, check, (key) => ({ kind: "sleep", key, due }));
      },
      sleepUntil: (name, date) => {
        const check = () => {
          if (!(date instanceof Date) || Number.isNaN(date.getTime())) {
            throw new InvalidStep(`Sleep "${name}" needs a valid Date to end at.`);
          }
          durationMs(Math.max(0, date.getTime() - this.run.startedAt));
        };
        return this.ask<void>(name, check, (key) => ({ kind: "sleep", key, due: { at: date.getTime() } }));
      },
    };
  }

  private ask<T>(name: string, check: () => void, make: (key: string) => Ask): Promise<T> {
    try {
      checkName(name);
      if (this.performing !== undefined) {
        throw new InvalidStep(
          `Step "${name}" was called while step "${this.performing}" ran: inside its body, or by code that awaits ` +
            "something other than a step. Call it after, and wrap timers and I/O in step.run.",
        );
      }
      check();
    } catch (error) {
      return Promise.reject(error);
    }
    const use = (this.uses.get(name) ?? 0) + 1;
    this.uses.set(name, use);
    const ask = make(use === 1 ? name : `${name}#${use}`);
    this.reached.add(ask.key);
    const recorded = this.recorded.get(ask.key);
    if (recorded !== undefined && recorded !== ask.kind) {
      this.mismatch ??= JournalMismatch.otherKind(ask.key, recorded, ask.kind);
      return new Promise<never>(() => {});
    }
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    // A branch that loses a race may fail with nobody listening: that is not an unhandled rejection.
    promise.catch(() => {});
    this.pending.set(ask.key, { ask, resolve: resolve as (value: unknown) => void, reject });
    return promise;
  }
}

function checkName(name: unknown): void {
  if (typeof name !== "string" || name === "")
    throw new InvalidStep("A step needs a name: a non-empty string.");
  if (name.length > STEP_NAME_LIMIT) {
    throw new InvalidStep(`Step name "${name.slice(0, 40)}…" is longer than ${STEP_NAME_LIMIT} characters.`);
  }
  if (name.includes("\u0000") || name.includes("#") || !name.isWellFormed()) {
    throw new InvalidStep(
      `Step name ${JSON.stringify(name)} must not hold "#" (it numbers repeats), U+0000 or half a surrogate pair.`,
    );
  }
}

function checkOptions(name: string, { retry, timeout }: StepOptions): void {
  if (timeout !== undefined) durationMs(timeout);
  if (retry?.delay !== undefined) durationMs(retry.delay);
  if (retry?.maxDelay !== undefined) durationMs(retry.maxDelay);
  const backoff = retry?.backoff;
  if (backoff !== undefined && backoff !== "exponential" && backoff !== "fixed") {
    throw new InvalidStep(
      `Step "${name}": retry.backoff must be "exponential" or "fixed", not "${backoff}".`,
    );
  }
  const most = retry?.maxAttempts;
  if (most !== undefined && !(Number.isInteger(most) && most >= 1)) {
    throw new InvalidStep(`Step "${name}": retry.maxAttempts must be a whole number from 1, not ${most}.`);
  }
}
