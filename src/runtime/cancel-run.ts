import { RunNotFound, WrongStatus } from "../engine/errors.ts";
import type { RunRef } from "../engine/run.ts";
import type { Runtime } from "./runtime.ts";

/**
 * Ends a run from any status that is not final, and raises its turn, so that whoever holds the lease loses
 * it. Cancelling a cancelled run is fine. Throws `RunNotFound`, `WrongStatus`.
 */
export async function cancelRun(runtime: Runtime, ref: RunRef): Promise<void> {
  const result = await runtime.store.cancelRun(ref);
  if (result === "not_found") throw new RunNotFound(ref.runId);
  if (result !== "cancelled" && result !== "already_cancelled") {
    throw new WrongStatus(ref.runId, result, "cancelled", "ready, running and waiting");
  }
}
