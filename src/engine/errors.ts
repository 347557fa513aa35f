/**
 * Every error Pawl raises has a `code` that is stable, and a class that composes its own sentence from
 * facts. `http/errors.ts` maps codes to statuses; `Failure` is what is stored of an error.
 */
export abstract class PawlError extends Error {
  abstract readonly code: string;
  /** False when trying the same thing again cannot help. */
  readonly retryable: boolean = true;
}

/** Thrown by a step body: this failure is final, do not try again. */
export class NonRetryableError extends PawlError {
  readonly code: string = "non_retryable";
  override readonly retryable = false;
  override readonly name: string = "NonRetryableError";
}

/** What a step rejects with once its attempts are used up. The workflow may catch it and go on. */
export class StepFailed extends PawlError {
  readonly code = "step_failed";
  override readonly retryable = false;
  readonly step: string;
  readonly attempts: number;
  readonly failure: Failure;
  constructor(step: string, attempts: number, failure: Failure) {
    const tries = attempts === 1 ? "its only attempt" : `${attempts} attempts`;
    super(`Step "${step}" failed after ${tries}: ${failure.message}`, { cause: toError(failure) });
    this.step = step;
    this.attempts = attempts;
    this.failure = failure;
  }
  override readonly name: string = "StepFailed";
}

/** A step body ran longer than its `timeout`. */
export class StepTimedOut extends PawlError {
  readonly code = "step_timed_out";
  constructor(step: string, timeoutMs: number) {
    super(`Step "${step}" did not finish within its timeout of ${timeoutMs} ms.`);
  }
  override readonly name: string = "StepTimedOut";
}

/** Ends a step's `signal` when another invocation may take over: whatever the step still does is ignored. */
export class LeaseLost extends PawlError {
  readonly code = "lease_lost";
  constructor(runId: string, turn: number) {
    super(`The lease on turn ${turn} of run ${runId} is lost: nothing this step returns will be kept.`);
  }
  override readonly name: string = "LeaseLost";
}

/** A run went past the deadline that it was started with. */
export class DeadlineExceeded extends PawlError {
  readonly code = "deadline_exceeded";
  override readonly retryable = false;
  constructor(deadlineAt: number) {
    super(`The run did not finish before its deadline, ${new Date(deadlineAt).toISOString()}.`);
  }
  override readonly name: string = "DeadlineExceeded";
}

/** No workflow of that name and version is registered in this deployment. */
export class WorkflowNotFound extends PawlError {
  readonly code = "workflow_not_found";
  override readonly retryable = false;
  constructor(name: string, version: number | undefined, known: readonly string[]) {
    const wanted = version === undefined ? `"${name}"` : `"${name}" version ${version}`;
    const list = known.length === 0 ? "none" : known.map((n) => `"${n}"`).join(", ");
    super(`No workflow ${wanted} is registered in this deployment. Registered: ${list}.`);
  }
  override readonly name: string = "WorkflowNotFound";
}

/** I7: the workflow's code and the run's journal tell different stories. Stops the run as dead. */
export class JournalMismatch extends PawlError {
  readonly code = "journal_mismatch";
  override readonly retryable = false;
  override readonly name: string = "JournalMismatch";
  static otherKind(key: string, recorded: string, now: string): JournalMismatch {
    return new JournalMismatch(
      `Step "${key}" was recorded as a ${recorded}, but the workflow now runs it as a ${now}.`,
    );
  }
  static notReached(key: string, kind: string, reached: readonly string[]): JournalMismatch {
    const asks =
      reached.length === 0 ? "asks for no step" : `asks for ${reached.map((k) => `"${k}"`).join(", ")}`;
    return new JournalMismatch(
      `The journal holds ${kind} "${key}", but the workflow no longer reaches it: at that point it ${asks}. ` +
        "Put the old order back, or give the changed workflow a new version, and revive the run.",
    );
  }
}

/** The workflow awaits something that is not a step, and nothing that Pawl knows of will wake it. */
export class WorkflowStalled extends PawlError {
  readonly code = "workflow_stalled";
  override readonly retryable = false;
  constructor(workflow: string) {
    super(
      `Workflow "${workflow}" came to rest without a step to wait for: it awaits something that is not a step. ` +
        "Wrap timers, fetches and other I/O in step.run.",
    );
  }
  override readonly name: string = "WorkflowStalled";
}

/** A step was called in a way that cannot be recorded, such as with an empty name. */
export class InvalidStep extends PawlError {
  readonly code = "invalid_step";
  override readonly retryable = false;
  override readonly name: string = "InvalidStep";
}

/** A span of time that cannot be understood or is out of range. */
export class InvalidDuration extends PawlError {
  readonly code = "invalid_duration";
  override readonly retryable = false;
  constructor(given: string, why: string) {
    super(`Invalid duration ${given}: ${why}. Write "90 seconds", "1h30m", { days: 1 } or milliseconds.`);
  }
  override readonly name: string = "InvalidDuration";
}

/** A value that cannot be stored and given back as it was. */
export class UnstorableValue extends PawlError {
  readonly code = "unstorable_value";
  override readonly retryable = false;
  constructor(what: string, path: string, problem: string, remedy: string) {
    super(
      `${what} cannot be stored: ${path === "" ? "the value itself" : `"${path}"`} ${problem}. ${remedy}`,
    );
  }
  override readonly name: string = "UnstorableValue";
}

/** The run took too many turns whose lease ran out with nothing committed (I12). */
export class LostTurnsExhausted extends PawlError {
  readonly code = "lost_turns_exhausted";
  override readonly name: string = "LostTurnsExhausted";
}

/** Postgres did not answer, or refused for a reason that passes. Nothing is known about the last write. */
export class StoreUnavailable extends PawlError {
  readonly code = "store_unavailable";
  constructor(cause: unknown) {
    super("The database does not answer at the moment. Try again.", { cause });
  }
  override readonly name: string = "StoreUnavailable";
}

/** The input of a start does not fit the workflow's schema. */
export class InvalidInput extends PawlError {
  readonly code = "invalid_input";
  override readonly name: string = "InvalidInput";
  constructor(workflow: string, problems: readonly string[]) {
    super(`The input does not fit workflow "${workflow}": ${problems.join("; ")}.`);
  }
}

/** The idempotency key belongs to a run that was started with another input. */
export class IdempotencyConflict extends PawlError {
  readonly code = "idempotency_conflict";
  override readonly name: string = "IdempotencyConflict";
  constructor(key: string, runId: string) {
    super(
      `Idempotency key "${key}" belongs to run ${runId}, which was started with another input. Use a new key.`,
    );
  }
}

/** One batch names the same idempotency key twice, so it cannot say which start is meant. */
export class DuplicateIdempotencyKey extends PawlError {
  readonly code = "duplicate_idempotency_key";
  override readonly name: string = "DuplicateIdempotencyKey";
  constructor(key: string, workflow: string) {
    super(
      `The batch starts workflow "${workflow}" twice with the idempotency key "${key}". Give each its own.`,
    );
  }
}

/** No run of that id, or not one of this tenant's: the two are not told apart. */
export class RunNotFound extends PawlError {
  readonly code = "run_not_found";
  override readonly name: string = "RunNotFound";
  constructor(runId: string) {
    super(`There is no run "${runId}".`);
  }
}

/** What was asked cannot be done to a run in its present status. */
export class WrongStatus extends PawlError {
  readonly code = "wrong_status";
  override readonly name: string = "WrongStatus";
  constructor(runId: string, status: string, verb: string, allowed: string) {
    super(`Run ${runId} is ${status}, so it cannot be ${verb}: only ${allowed} runs can.`);
  }
}

/** What is stored of an error: JSON, free of U+0000 and lone surrogates, bounded in size. */
export interface Failure {
  readonly code: string;
  readonly name: string;
  readonly message: string;
  readonly stack?: string;
  readonly cause?: Failure;
  /** The step whose failure this is, where one ended the run. */
  readonly step?: string;
}

const MESSAGE_LIMIT = 4_000;
const STACK_LIMIT = 8_000;
const CAUSE_DEPTH = 5;
const UNREADABLE = "a value that cannot be shown";

/** Turns whatever was thrown into a `Failure`. Never throws itself: a getter that throws is left out. */
export function toFailure(thrown: unknown): Failure {
  try {
    return readFailure(thrown, 0);
  } catch {
    return { code: "error", name: "Error", message: UNREADABLE };
  }
}

function readFailure(thrown: unknown, depth: number): Failure {
  const field = (name: string): unknown => {
    try {
      return (thrown as Record<string, unknown> | null | undefined)?.[name];
    } catch {
      return undefined;
    }
  };
  if (typeof thrown !== "object" || thrown === null) {
    return { code: "error", name: "Error", message: storableText(describe(thrown), MESSAGE_LIMIT) };
  }
  const code = field("code");
  const name = field("name");
  const message = field("message");
  const stack = field("stack");
  const cause = field("cause");
  const step = thrown instanceof StepFailed ? thrown.step : undefined;
  return {
    code: storableText(typeof code === "string" ? code : "error", 100),
    name: storableText(typeof name === "string" && name !== "" ? name : "Error", 200),
    message: storableText(typeof message === "string" ? message : describe(thrown), MESSAGE_LIMIT),
    ...(typeof stack === "string" ? { stack: storableText(stack, STACK_LIMIT) } : {}),
    ...(cause !== undefined && cause !== null && depth < CAUSE_DEPTH
      ? { cause: readFailure(cause, depth + 1) }
      : {}),
    ...(step === undefined ? {} : { step }),
  };
}

/** The way back: an Error that carries a stored failure's name, message, stack and cause. */
export function toError(failure: Failure): Error {
  const error = new Error(failure.message, failure.cause ? { cause: toError(failure.cause) } : undefined);
  Object.defineProperty(error, "name", { value: failure.name, configurable: true, writable: true });
  if (failure.stack !== undefined) error.stack = failure.stack;
  return Object.assign(error, { code: failure.code });
}

/** Postgres' jsonb and text refuse U+0000, jsonb refuses lone surrogates: both become U+FFFD. */
export function storableText(text: string, limit: number): string {
  const cut = text.length > limit ? `${text.slice(0, limit)}… (${text.length} characters)` : text;
  return cut.toWellFormed().replaceAll("\u0000", "\ufffd");
}

function describe(thrown: unknown): string {
  try {
    return typeof thrown === "object" ? (JSON.stringify(thrown) ?? "an object") : String(thrown);
  } catch {
    return UNREADABLE;
  }
}
