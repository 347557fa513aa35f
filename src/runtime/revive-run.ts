import { RunNotFound, WrongStatus } from "../engine/refusals.ts";
import type { RunRef } from "../engine/run.ts";
import type { Runtime } from "./runtime.ts";
import { wakeDue } from "./wake-due.ts";

/**
 * Makes a failed or dead run ready again with the same journal: what is done stays done, the failure that
 * ended it is forgiven, and retries and lost turns count from zero. A run that died while it undid what it did goes
 * on with that; one that has undone it cannot be revived. Throws `RunNotFound`, `WrongStatus`.
 */
export async function reviveRun(runtime: Runtime, ref: RunRef): Promise<void> {
  const { result, due } = await runtime.store.reviveRun(ref);
  if (result === "not_found") throw new RunNotFound(ref.runId);
  if (result === "undone") {
    throw new WrongStatus(ref.runId, "failed and has undone what it did", "revived", "dead and other failed");
  }
  if (result !== "revived") throw new WrongStatus(ref.runId, result, "revived", "failed and dead");
  await wakeDue(runtime, due, "after a revive");
}
