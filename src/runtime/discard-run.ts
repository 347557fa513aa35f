import { RunNotFound, WrongStatus } from "../engine/refusals.ts";
import type { RunRef } from "../engine/run.ts";
import type { Runtime } from "./runtime.ts";

/** Puts a dead letter away: the run stays as it is, and can still be revived. Throws `RunNotFound`, `WrongStatus`. */
export async function discardRun(runtime: Runtime, ref: RunRef): Promise<void> {
  const result = await runtime.store.discardRun(ref);
  if (result === "not_found") throw new RunNotFound(ref.runId);
  if (result !== "discarded") throw new WrongStatus(ref.runId, result, "discarded", "failed and dead");
}
