/**
 * Sequences: workflows written as a chain of named steps, for people who come from job chains. Each step is told what
 * the steps before it returned, by their names. It comes down to a function made by `defineWorkflow`: there is no
 * second engine, and how far a run has come stands in its journal, under these names.
 *
 * What has no body of its own (conditions of loops, inputs of children) is evaluated in every replay, so it must
 * follow from what it is given and from nothing else.
 */
import type { StandardSchemaV1 } from "@standard-schema/spec";
import { type DeclaredStep, type Trying, toDeclared } from "./declared.ts";
import { type Duration, durationMs } from "./duration.ts";
import { InvalidSequence, InvalidStep, LoopLimitReached } from "./errors.ts";
import { checkName, checkOptions } from "./plan/checks.ts";
import { Course, type End, type Part, type Round, type SequenceContext, type Work } from "./plan/sequence.ts";
import {
  type ChildOptions,
  defineWorkflow,
  type StepContext,
  type WaitOptions,
  type Workflow,
  type WorkflowOptions,
} from "./workflow.ts";

type Entry = Body<never, never> | DeclaredStep<never, never>;
type Body<Context, Output> = (context: Context & StepContext) => Output | Promise<Output>;
type Options<Context, Output> = Omit<DeclaredStep<Context, Output>, "run">;
type Simple<T> = { [K in keyof T]: T[K] };
type And<Results, Name extends string, Output> = Simple<Results & { readonly [N in Name]: Output }>;
type Both<Union> = (Union extends unknown ? (given: Union) => void : never) extends (given: infer All) => void
  ? All
  : never;

/** What the steps of a route's cases return besides `Known`: of the cases that were not taken, nothing. */
type Perhaps<Known, Cases> = Partial<
  Both<{ [C in keyof Cases]: Omit<Cases[C], Known & string> }[keyof Cases]>
>;

type Test<Input, Results, Last> = (context: SequenceContext<Input, Results> & Round<Last>) => boolean;

/** When a loop is over. One that is not over after `maxIterations` rounds, 1,000 without it, fails the run. */
export type LoopEnd<Input, Results, Output> =
  /** Goes round while it is true; perhaps never. */
  | { readonly while: Test<Input, Results, Output>; readonly maxIterations?: number }
  /** Goes round until it is true, at least once. */
  | { readonly until: Test<Input, Results, Output>; readonly maxIterations?: number }
  | { readonly times: number };

const ROUNDS = 1_000;

/** A sequence that is being written. `Results` is what its steps return, by their names. */
export class Sequence<Input, Results> {
  private readonly options: WorkflowOptions<StandardSchemaV1>;
  private readonly names: Set<string>;
  private readonly parts: Part[] = [];

  constructor(options: WorkflowOptions<StandardSchemaV1>, names = new Set<string>()) {
    this.options = options;
    this.names = names;
  }

  step<Name extends string, Output>(
    name: Name,
    body: Body<SequenceContext<Input, Results>, Output>,
    options: Options<SequenceContext<Input, Results>, Output> = {},
  ): Sequence<Input, And<Results, Name, Output>> {
    const work = this.checked(name, { ...options, run: body });
    return this.add(name, (course) => course.perform(name, work));
  }

  /** Steps side by side, each a body or a body with its options. Fails with the first that fails. */
  parallel<Name extends string, Outputs extends object>(
    name: Name,
    entries: {
      readonly [E in keyof Outputs]:
        | Body<SequenceContext<Input, Results>, Outputs[E]>
        | DeclaredStep<SequenceContext<Input, Results>, Outputs[E]>;
    },
  ): Sequence<Input, And<Results, Name, Simple<Outputs>>> {
    const steps = Object.entries<Entry>(entries as never).map(([entry, given]) => {
      if (entry === "") throw this.refusal(`an entry of "${name}" has no name`);
      const step = `${name}/${entry}`;
      this.claim(step);
      return { entry, step, work: this.checked(step, toDeclared(given)) };
    });
    if (steps.length === 0) throw this.refusal(`"${name}" has no entries`);
    return this.add(name, async (course) => {
      const outputs = await Promise.all(
        steps.map(async ({ entry, step, work }) => [entry, await course.perform(step, work)] as const),
      );
      return Object.fromEntries(outputs);
    });
  }

  /**
   * Goes on with the case that the resolver names, or with `default`. The resolver is a step: it runs once and may
   * read the outside. The steps of a case have names of their own; what they return is there if the case was taken.
   */
  route<Name extends string, Cases extends object>(
    name: Name,
    resolver: Body<SequenceContext<Input, Results>, string>,
    cases: {
      readonly [C in keyof Cases]: (
        sequence: Sequence<Input, And<Results, Name, string>>,
      ) => Sequence<Input, Cases[C]>;
    },
  ): Sequence<
    Input,
    Simple<And<Results, Name, keyof Cases & string> & Perhaps<keyof Results | Name, Cases>>
  > {
    const work = this.checked(name, { run: resolver });
    const branches = new Map(
      Object.entries<(sequence: Sequence<Input, never>) => unknown>(cases as never).map(([label, write]) => {
        if (typeof write !== "function")
          throw this.refusal(`case "${label}" of "${name}" must be a function`);
        const branch = new Sequence<Input, never>(this.options, this.names);
        write(branch);
        return [label, branch.parts];
      }),
    );
    if (branches.size === 0) throw this.refusal(`"${name}" has no cases`);
    return this.add(name, async (course) => {
      const answer = await course.perform(name, work);
      const label = branches.has(answer as string) ? (answer as string) : "default";
      const parts = branches.get(label);
      if (parts === undefined) {
        const known = [...branches.keys()].map((each) => `"${each}"`).join(", ");
        throw new InvalidStep(
          `Route "${name}" resolved to ${JSON.stringify(answer)}, which is none of ${known}.`,
        );
      }
      course.note(name, label);
      await course.take(parts);
      return label;
    }) as never;
  }

  /** The same step again and again, as `name`, `name#2`, `name#3` …; gives what the last round returned. */
  loop<Name extends string, Output>(
    name: Name,
    body: Body<SequenceContext<Input, Results> & Round, Output>,
    options: LoopEnd<Input, Results, Output> & Options<SequenceContext<Input, Results> & Round, Output>,
  ): Sequence<Input, And<Results, Name, Output | undefined>> {
    const end = this.checkedEnd(name, options);
    const work = this.checked(name, { ...options, run: body });
    return this.add(name, async (course) => {
      let last: unknown;
      for (let iteration = 1; ; iteration++) {
        const round = { iteration, last };
        if (end.isOverBefore({ ...course.context(), ...round })) return last;
        if (iteration > end.limit) throw new LoopLimitReached(name, end.limit);
        last = await course.perform(name, work, round);
        if (end.isOverAfter({ ...course.context(), iteration, last })) return last;
      }
    });
  }

  sleep(name: string, duration: Duration): Sequence<Input, Results> {
    this.guard(() => durationMs(duration));
    this.claim(name);
    this.parts.push(async (course) => void (await course.workflow.step.sleep(name, duration)));
    return this;
  }

  /** Waits for a signal called `name`; null on timeout. */
  waitForSignal<Name extends string, Payload = unknown>(
    name: Name,
    options: WaitOptions<Payload> & { readonly timeout: Duration },
  ): Sequence<Input, And<Results, Name, Payload | null>>;
  waitForSignal<Name extends string, Payload = unknown>(
    name: Name,
    options?: WaitOptions<Payload>,
  ): Sequence<Input, And<Results, Name, Payload>>;
  waitForSignal(name: string, options: WaitOptions<unknown> & { readonly timeout?: Duration } = {}): never {
    const { timeout } = options;
    if (timeout !== undefined) this.guard(() => durationMs(timeout));
    return this.add(name, ({ workflow }) => workflow.step.waitForSignal(name, options)) as never;
  }

  /** Starts a child run and waits for what it returns. */
  child<Name extends string, ChildInput, Output>(
    name: Name,
    workflow: Workflow<ChildInput, Output>,
    toInput: (context: SequenceContext<Input, Results>) => NoInfer<ChildInput>,
    options?: ChildOptions,
  ): Sequence<Input, And<Results, Name, Output>> {
    if (typeof workflow?.run !== "function") throw this.refusal(`"${name}" needs a workflow to start`);
    if (typeof toInput !== "function")
      throw this.refusal(`"${name}" needs a function that gives the child its input`);
    return this.add(name, (course) =>
      course.workflow.step.invoke(
        name,
        workflow,
        toInput(course.context() as never) as NoInfer<ChildInput>,
        options,
      ),
    );
  }

  /** The workflow. Its output is what its steps returned, by their names. */
  build(): Workflow<Input, Results> {
    if (this.parts.length === 0) throw this.refusal("it has no steps");
    const parts = [...this.parts];
    return defineWorkflow(this.options, async (context) => {
      const course = new Course(context);
      await course.take(parts);
      return course.results;
    }) as Workflow<Input, never>;
  }

  private add<Next>(name: string, part: (course: Course) => Promise<unknown>): Sequence<Input, Next> {
    this.claim(name);
    this.parts.push(async (course) => course.note(name, await part(course)));
    return this as unknown as Sequence<Input, Next>;
  }

  private claim(name: string): void {
    this.guard(() => checkName(name));
    if (this.names.has(name)) throw this.refusal(`two of its steps are called "${name}"`);
    this.names.add(name);
  }

  private checked(
    name: string,
    work: Trying & { readonly run: unknown; readonly compensate?: unknown },
  ): Work {
    if (typeof work?.run !== "function") throw this.refusal(`step "${name}" needs a function to run`);
    const { maxAttempts, backoff, timeout, compensate } = work;
    this.guard(() => checkOptions(name, { retry: { maxAttempts, backoff }, timeout, compensate } as never));
    return work as unknown as Work;
  }

  private checkedEnd(name: string, given: object): End {
    const {
      while: goesOn,
      until,
      times,
      maxIterations,
    } = given as Partial<
      Record<"while" | "until", (context: unknown) => boolean> & Record<"times" | "maxIterations", number>
    >;
    const said = [goesOn, until, times].filter((each) => each !== undefined);
    if (said.length !== 1) throw this.refusal(`loop "${name}" needs one of while, until and times`);
    if (times === undefined && typeof said[0] !== "function") {
      throw this.refusal(`loop "${name}" needs a function as its condition`);
    }
    for (const number of [times, maxIterations]) {
      if (number !== undefined && !(Number.isInteger(number) && number >= 1)) {
        throw this.refusal(`loop "${name}" goes round a whole number of times from 1, not ${number}`);
      }
    }
    if (times !== undefined && maxIterations !== undefined && times > maxIterations) {
      throw this.refusal(`loop "${name}" goes round ${times} times, but at most ${maxIterations}`);
    }
    return {
      limit: times ?? maxIterations ?? ROUNDS,
      isOverBefore: (context) => (goesOn === undefined ? false : !goesOn(context)),
      isOverAfter: (context) =>
        times !== undefined ? context.iteration >= times : (until?.(context) ?? false),
    };
  }

  private refusal(problem: string): InvalidSequence {
    return new InvalidSequence(this.options.name, problem);
  }

  /** What a check says, as a problem of the sequence. */
  private guard(check: () => unknown): void {
    try {
      check();
    } catch (error) {
      throw this.refusal(error instanceof Error ? error.message.replace(/\.$/, "") : String(error));
    }
  }
}

/** Begins a sequence. */
export function sequence<Schema extends StandardSchemaV1 = StandardSchemaV1<unknown, unknown>>(
  name: string,
  options: Omit<WorkflowOptions<Schema>, "name"> = {},
): Sequence<StandardSchemaV1.InferOutput<Schema>, Record<never, never>> {
  return new Sequence({ ...options, name });
}
