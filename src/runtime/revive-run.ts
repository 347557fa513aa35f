import { RunNotFound, WrongStatus } from "../engine/errors.ts";
import type { RunRef } from "../engine/run.ts";
import type { Runtime } from "./runtime.ts";

/**
 * Makes a failed or dead run ready again with the same journal: what is done stays done, the failure that
 * ended it is forgiven, and retries and lost turns count from zero. Throws `RunNotFound`, `WrongStatus`.
 */
export async function reviveRun(runtime: Runtime, ref: RunRef): Promise<void> {
  const result = await runtime.store.reviveRun(ref);
  if (result === "not_found") throw new RunNotFound(ref.runId);
  if (result !== "revived") throw new WrongStatus(ref.runId, result, "revived", "failed and dead");
  await runtime.wakeUps
    .send([{ ...ref, wakeInMs: 0 }])
    .catch((error: unknown) => runtime.report("sending a wake-up after a revive", error));
}
