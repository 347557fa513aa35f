import { decode } from "../codec.ts";
import { ChildFailed, StepFailed } from "../errors.ts";
import type { Settled } from "../journal.ts";

/** What the workflow is handed: a fresh copy of what is stored. */
export function outputOf(entry: Settled): unknown {
  return entry.output === null ? undefined : decode(entry.output);
}

/** What the workflow is thrown. */
export function errorOf(entry: Settled): Error {
  const failure = entry.failure ?? { code: "error", name: "Error", message: "unknown" };
  if (failure.child !== undefined) return new ChildFailed(entry.key, failure);
  return new StepFailed(entry.key, entry.attempt, failure);
}
