/** A sequence as the workflow function that it comes down to: what its parts are told, one after another. */
import { type DeclaredStep, type Facts, toOptions } from "../declared.ts";
import type { WorkflowContext } from "../workflow.ts";

/** What every body of a sequence is told, besides every step's context. */
export interface SequenceContext<Input, Results> {
  readonly input: Input;
  /** What earlier steps returned, by their names. */
  readonly results: Results;
  readonly run: Facts;
}

/** What the body of a loop is told as well. */
export interface Round<Last = unknown> {
  /** Counted from 1. */
  readonly iteration: number;
  /** What the round before returned. */
  readonly last: Last | undefined;
}

/** A step of any sequence. */
export type Work = DeclaredStep<unknown, unknown>;
/** What a run does next. */
export type Part = (course: Course) => Promise<void>;

/** When a loop is over. */
export interface End {
  readonly limit: number;
  isOverBefore(context: Round): boolean;
  isOverAfter(context: Round): boolean;
}

/** One run of a sequence, as far as it has come. */
export class Course {
  readonly workflow: WorkflowContext<unknown>;
  private readonly noted = new Map<string, unknown>();

  constructor(workflow: WorkflowContext<unknown>) {
    this.workflow = workflow;
  }

  get results(): Record<string, unknown> {
    return Object.fromEntries(this.noted);
  }

  note(name: string, result: unknown): void {
    this.noted.set(name, result);
  }

  context(): SequenceContext<unknown, Record<string, unknown>> {
    const { input, run } = this.workflow;
    return { input, run, results: this.results };
  }

  async take(parts: readonly Part[]): Promise<void> {
    for (const part of parts) await part(this);
  }

  /** What is known now is what the body is told, whenever it runs. */
  perform(name: string, work: Work, round?: Round): Promise<unknown> {
    const context = { ...this.context(), ...round };
    return this.workflow.step.run(
      name,
      (given) => work.run({ ...context, ...given } as never),
      toOptions(work, () => context),
    );
  }
}
