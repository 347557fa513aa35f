/** What the declarative ways of writing a workflow, sequence and graph, share: how a step is tried and what its body is told. */
import type { Duration } from "./duration.ts";
import type { Retry } from "./retry.ts";
import type { CompensationContext, RunFacts, StepContext, StepOptions } from "./workflow.ts";

/** Facts of the run. What it tells others about itself is for a workflow that is a function. */
export type Facts = Omit<RunFacts, "join" | "leave" | "set" | "append">;

/** How a step is tried. */
export interface Trying {
  /** With the first one. Default 3. */
  readonly maxAttempts?: number;
  /** Between two attempts: doubling from a second to a minute, always a second, or what the function says. */
  readonly backoff?: Retry["backoff"];
  /** How long one attempt may take. */
  readonly timeout?: Duration;
}

/** A step's body with how it is tried and undone. `Context` is what its body is told besides every step's context. */
export interface DeclaredStep<Context, Output> extends Trying {
  readonly run: (context: Context & StepContext) => Output | Promise<Output>;
  /** Undoes the step when the run fails; the last step that completed comes first. */
  readonly compensate?: (context: Context & CompensationContext<Output>) => unknown;
}

/** The same as options of `step.run`. */
export function toOptions<Context, Output>(
  { maxAttempts, backoff, timeout, compensate }: Omit<DeclaredStep<Context, Output>, "run">,
  context: () => Context,
): StepOptions<Output> {
  const retry = {
    ...(maxAttempts === undefined ? {} : { maxAttempts }),
    ...(backoff === undefined ? {} : { backoff }),
  };
  return {
    retry,
    ...(timeout === undefined ? {} : { timeout }),
    ...(compensate === undefined
      ? {}
      : { compensate: (given: CompensationContext<Output>) => compensate({ ...context(), ...given }) }),
  };
}

/** A step that may be written as its body alone. */
export function toDeclared<Context, Output>(
  given: DeclaredStep<Context, Output> | DeclaredStep<Context, Output>["run"],
): DeclaredStep<Context, Output> {
  return typeof given === "function" ? { run: given } : given;
}
