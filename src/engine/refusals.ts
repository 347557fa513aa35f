/** What a use case refuses. Each class composes its sentence from facts; `http/errors.ts` gives each code its status. */
import { PawlError } from "./errors.ts";

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

/** The input of a start does not fit the workflow's schema. */
export class InvalidInput extends PawlError {
  readonly code = "invalid_input";
  override readonly name: string = "InvalidInput";
  constructor(workflow: string, problems: readonly string[]) {
    super(`The input does not fit workflow "${workflow}": ${problems.join("; ")}.`);
  }
}

/** A channel keeps the mode of its first subscriber, and the mode says whether messages name a receiver. */
export class ChannelModeConflict extends PawlError {
  readonly code = "channel_mode_conflict";
  override readonly retryable = false;
  override readonly name: string = "ChannelModeConflict";
  static mode(channel: string, mode: string, asked: string): ChannelModeConflict {
    return new ChannelModeConflict(
      `Channel "${channel}" is ${mode}, so it cannot be used as ${asked}: a channel keeps the mode of its first subscriber.`,
    );
  }
  /** Of a message that names a run where it must not, or names none where it must. */
  static receiver(channel: string, mode: string): ChannelModeConflict {
    const why =
      mode === "direct" ? "so every message must name the run that gets it" : "so no message can name a run";
    return new ChannelModeConflict(`Channel "${channel}" is ${mode}, ${why}.`);
  }
}

/** The run waits for a message of a channel that it has not subscribed to, so none would ever come. */
export class NotSubscribed extends PawlError {
  readonly code = "not_subscribed";
  override readonly retryable = false;
  override readonly name: string = "NotSubscribed";
  constructor() {
    super("The run is not subscribed to that channel. Call step.subscribe before step.receive.");
  }
}

/** No hook has that token, or its run is over: the two are not told apart. */
export class HookNotFound extends PawlError {
  readonly code = "hook_not_found";
  override readonly name: string = "HookNotFound";
  constructor() {
    super("There is no such hook.");
  }
}

/** Somebody has posted to the hook before. */
export class HookUsed extends PawlError {
  readonly code = "hook_used";
  override readonly name: string = "HookUsed";
  constructor() {
    super("This hook has been used: it takes one call only.");
  }
}

/** The hook was not used in time. */
export class HookExpired extends PawlError {
  readonly code = "hook_expired";
  override readonly name: string = "HookExpired";
  constructor() {
    super("This hook has expired.");
  }
}

/** The idempotency key belongs to a run that was started with another input, or made from another run. */
export class IdempotencyConflict extends PawlError {
  readonly code = "idempotency_conflict";
  override readonly name: string = "IdempotencyConflict";
  constructor(key: string, runId: string) {
    super(
      `Idempotency key "${key}" belongs to run ${runId}, which was started with another input, or made from ` +
        "another run. Use a new key.",
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
  override readonly retryable = false;
  override readonly name: string = "RunNotFound";
  constructor(runId: string) {
    super(`There is no run "${runId}".`);
  }
}

/** A person's word on a step that no one waits for, or that somebody has given already. */
export class NotAwaited extends PawlError {
  readonly code = "not_awaited";
  override readonly name: string = "NotAwaited";
  constructor(runId: string, step: string) {
    super(`Run ${runId} waits for no word on step "${step}".`);
  }
}

/** A run cannot begin at a step that is not in the journal of the run it is made from. */
export class UnknownStep extends PawlError {
  readonly code = "unknown_step";
  override readonly name: string = "UnknownStep";
  constructor(runId: string, step: string) {
    super(`The journal of run ${runId} has no step "${step}" to begin at.`);
  }
}

/** The run's journal has no entry of that number. */
export class EntryNotFound extends PawlError {
  readonly code = "entry_not_found";
  override readonly name: string = "EntryNotFound";
  constructor(runId: string, seq: string) {
    super(`The journal of run ${runId} has no entry ${JSON.stringify(seq.slice(0, 100))}.`);
  }
}

/** No bulk action of that id, or not one of this tenant's. */
export class BulkNotFound extends PawlError {
  readonly code = "bulk_not_found";
  override readonly name: string = "BulkNotFound";
  constructor(id: string) {
    super(`There is no bulk action ${JSON.stringify(id.slice(0, 100))}.`);
  }
}

/** A bulk action that is done cannot be aborted any more. */
export class BulkOver extends PawlError {
  readonly code = "bulk_over";
  override readonly name: string = "BulkOver";
  constructor(id: string) {
    super(`Bulk action ${id} is done, so there is nothing to abort.`);
  }
}

/** The run has never set that key. */
export class StateNotFound extends PawlError {
  readonly code = "state_not_found";
  override readonly name: string = "StateNotFound";
  constructor(runId: string, key: string) {
    super(`Run ${runId} has no state "${key}".`);
  }
}

/** What a signal cannot be called: "#" is kept for hooks. */
export class InvalidSignalName extends PawlError {
  readonly code = "invalid_signal_name";
  override readonly name: string = "InvalidSignalName";
  constructor(name: string) {
    super(
      `${JSON.stringify(name.slice(0, 100))} cannot name a signal: it takes 1 to 100 characters, no "#", ` +
        "U+0000 or half a surrogate pair.",
    );
  }
}

/** No event of that id, or not one of this tenant's. */
export class EventNotFound extends PawlError {
  readonly code = "event_not_found";
  override readonly name: string = "EventNotFound";
  constructor(id: string) {
    super(`There is no event "${id}".`);
  }
}

/** Only what is dead can be sent again: anything else is sent already, or on its way. */
export class EventNotDead extends PawlError {
  readonly code = "event_not_dead";
  override readonly name: string = "EventNotDead";
  constructor(id: string) {
    super(`Event "${id}" is dead at no sink, so there is nothing to send again.`);
  }
}

/** What was asked cannot be done to a run in its present status. */
export class WrongStatus extends PawlError {
  readonly code = "wrong_status";
  override readonly retryable = false;
  override readonly name: string = "WrongStatus";
  constructor(runId: string, status: string, verb: string, allowed: string) {
    super(`Run ${runId} is ${status}, so it cannot be ${verb}: only ${allowed} runs can.`);
  }
}

/** Steps can be appended to graphs only. */
export class NotAGraph extends PawlError {
  readonly code = "not_a_graph";
  override readonly name: string = "NotAGraph";
  constructor(runId: string, workflow: string) {
    super(
      `Run ${runId} is of workflow "${workflow}", which is no graph: only defineGraph makes one to append to.`,
    );
  }
}

/** Steps can be appended only while the gate that the request names is closed. */
export class GateOpen extends PawlError {
  readonly code = "gate_open";
  override readonly name: string = "GateOpen";
  constructor(runId: string, gate: string) {
    super(`Gate "${gate}" of run ${runId} is not closed any more, so nothing can be appended under it.`);
  }
}

/** The mutation key belongs to another request. */
export class MutationConflict extends PawlError {
  readonly code = "mutation_conflict";
  override readonly name: string = "MutationConflict";
  constructor(runId: string, key: string) {
    super(`Mutation key "${key}" of run ${runId} belongs to a request with other steps. Use a new key.`);
  }
}

/** Steps that do not fit the graph of the run: nothing is appended. */
export class InvalidAppend extends PawlError {
  readonly code = "invalid_append";
  override readonly name: string = "InvalidAppend";
  constructor(problem: string) {
    super(`The steps cannot be appended: ${problem}.`);
  }
}

/** A question that would read too much. It was broken off, and nothing is wrong with the database. */
export class QueryTimeout extends PawlError {
  readonly code = "query_timeout";
  override readonly name: string = "QueryTimeout";
  constructor(limitMs: number) {
    super(
      `This took longer than ${limitMs / 1_000} s, so it was broken off. Narrow it: by time, workflow, status or tag.`,
    );
  }
}
