import { encode } from "../engine/codec.ts";
import type { Word } from "../engine/ports.ts";
import { NotAwaited, RunNotFound } from "../engine/refusals.ts";
import type { RunRef } from "../engine/run.ts";
import type { Runtime } from "./runtime.ts";
import { wakeDue } from "./wake-due.ts";

/** What a person found out about an at-most-once step that was cut off. */
export type Finding = { readonly outcome: "done"; readonly output?: unknown } | { readonly outcome: "again" };

/** Tells a run what came of a step, once: the first word counts. Throws `RunNotFound`, `NotAwaited`, `UnstorableValue`. */
export async function resolveStep(
  runtime: Runtime,
  ref: RunRef,
  key: string,
  finding: Finding,
): Promise<void> {
  const word = toWord(key, finding);
  // No step has a key that Postgres cannot store.
  if (key.isWellFormed() && !key.includes("\u0000")) {
    const { found, due } = await runtime.store.deliverWord(ref, key, word);
    if (found) return wakeDue(runtime, due, "after a word on a step");
  }
  if ((await runtime.reads.run(ref)) === null) throw new RunNotFound(ref.runId);
  throw new NotAwaited(ref.runId, key);
}

function toWord(key: string, finding: Finding): Word {
  if (finding.outcome === "again") return { outcome: "again" };
  const { output } = finding;
  return {
    outcome: "completed",
    output: output === undefined ? null : encode(output, `Step "${key}"'s output`),
  };
}
