import { type Failure, toError } from "./failure.ts";

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

/** What `step.invoke` rejects with when the child did not complete. The workflow may catch it and go on. */
export class ChildFailed extends PawlError {
  readonly code = "child_failed";
  override readonly retryable = false;
  readonly step: string;
  readonly runId: string;
  /** `failed`, `cancelled` or `dead`. */
  readonly status: string;
  readonly failure: Failure;
  constructor(step: string, failure: Failure) {
    super(failure.message, failure.cause ? { cause: toError(failure.cause) } : undefined);
    this.step = step;
    this.runId = failure.child?.runId ?? "";
    this.status = failure.child?.status ?? "failed";
    this.failure = failure;
  }
  override readonly name: string = "ChildFailed";
}

/** A step body ran longer than its `timeout`. */
export class StepTimedOut extends PawlError {
  readonly code = "step_timed_out";
  constructor(step: string, timeoutMs: number) {
    super(`Step "${step}" did not finish within its timeout of ${timeoutMs} ms.`);
  }
  override readonly name: string = "StepTimedOut";
}

/** A step body did not call `heartbeat` for as long as it may go without. */
export class HeartbeatMissed extends PawlError {
  readonly code = "heartbeat_missed";
  constructor(step: string, heartbeatMs: number) {
    super(`Step "${step}" sent no heartbeat for ${heartbeatMs} ms.`);
  }
  override readonly name: string = "HeartbeatMissed";
}

/** An at-most-once step was cut off: nobody but a person can say how far it came. */
export class OutcomeUnknown extends PawlError {
  readonly code = "outcome_unknown";
  override readonly retryable = false;
  constructor(step: string) {
    super(
      `Step "${step}" runs at most once and was cut off: whether it did its work is not known. ` +
        "Find out, and say done or again.",
    );
  }
  override readonly name: string = "OutcomeUnknown";
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

/** A run has journaled more than can be replayed. */
export class JournalTooLarge extends PawlError {
  readonly code = "journal_too_large";
  override readonly retryable = false;
  constructor(has: string, limit: string) {
    super(
      `The run's journal has ${has}, more than ${limit}. Go on as a new run with step.continueAsNew before that, or keep ` +
        "large values elsewhere and return where they are.",
    );
  }
  override readonly name: string = "JournalTooLarge";
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
  /** `lastCall` is the timer or the I/O that the workflow's code began last outside a step. */
  static notReached(
    key: string,
    kind: string,
    reached: readonly string[],
    lastCall?: string,
  ): JournalMismatch {
    const instead = lastCall === undefined ? "" : `, and outside one its code last called ${lastCall}`;
    const asks =
      reached.length === 0
        ? `asks for no step${instead}`
        : `asks for ${reached.map((k) => `"${k}"`).join(", ")}`;
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
  /** `lastCall` is the timer or the I/O that its code began last outside a step. */
  constructor(workflow: string, lastCall?: string) {
    const last = lastCall === undefined ? "" : `Outside a step its code last called ${lastCall}. `;
    super(
      `Workflow "${workflow}" came to rest without a step to wait for: it awaits something that is not a step. ` +
        `${last}Wrap timers, fetches and other I/O in step.run.`,
    );
  }
  override readonly name: string = "WorkflowStalled";
}

/** A workflow called outside a step what every replay calls again. Told to its author, never thrown. */
export class NondeterministicCall extends PawlError {
  readonly code = "nondeterministic_call";
  readonly workflow: string;
  readonly version: number;
  /** Such as `Date.now()`. */
  readonly call: string;
  /** What to use instead. */
  readonly remedy: string;
  constructor({ name, version }: { name: string; version: number }, call: string, remedy: string) {
    super(
      `Workflow "${name}" version ${version} called ${call} outside a step. ` +
        `Every replay calls it again, and may get something else. Use ${remedy}.`,
    );
    this.workflow = name;
    this.version = version;
    this.call = call;
    this.remedy = remedy;
  }
  override readonly name: string = "NondeterministicCall";
}

/** A step was called in a way that cannot be recorded, such as with an empty name. */
export class InvalidStep extends PawlError {
  readonly code = "invalid_step";
  override readonly retryable = false;
  override readonly name: string = "InvalidStep";
}

/** A graph that cannot be run, found when it is defined. */
export class InvalidGraph extends PawlError {
  readonly code = "invalid_graph";
  override readonly retryable = false;
  override readonly name: string = "InvalidGraph";
  constructor(graph: string, problem: string) {
    super(`Graph "${graph}": ${problem}.`);
  }
}

/** A sequence that cannot be run, found when it is defined. */
export class InvalidSequence extends PawlError {
  readonly code = "invalid_sequence";
  override readonly retryable = false;
  override readonly name: string = "InvalidSequence";
  constructor(sequence: string, problem: string) {
    super(`Sequence "${sequence}": ${problem}.`);
  }
}

/** A sequence's loop came to the most times that it may go round. */
export class LoopLimitReached extends PawlError {
  readonly code = "loop_limit_reached";
  override readonly retryable = false;
  override readonly name: string = "LoopLimitReached";
  constructor(loop: string, limit: number) {
    super(
      `Loop "${loop}" went round ${limit} times and was not over. Raise maxIterations, or mend its condition.`,
    );
  }
}

/** Nobody opened a gate of a graph within its timeout. */
export class GateTimedOut extends PawlError {
  readonly code = "gate_timed_out";
  override readonly retryable = false;
  override readonly name: string = "GateTimedOut";
  constructor(gate: string) {
    super(`Gate "${gate}" was not opened within its timeout.`);
  }
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

/** What arrived for a wait does not fit the schema that the workflow gave. */
export class InvalidPayload extends PawlError {
  readonly code = "invalid_payload";
  override readonly retryable = false;
  constructor(step: string, problems: readonly string[]) {
    super(`What arrived for step "${step}" does not fit its schema: ${problems.join("; ")}.`);
  }
  override readonly name: string = "InvalidPayload";
}
