import type { Moved } from "../engine/ports.ts";
import { RunNotFound, WrongStatus } from "../engine/refusals.ts";
import type { RunRef } from "../engine/run.ts";
import type { Runtime } from "./runtime.ts";
import { wakeDue } from "./wake-due.ts";

/**
 * Ends a run and its descendants from any status that is not final, and raises their turns, so that whoever holds
 * a lease loses it. With `compensate` each first undoes what it did. Cancelling a cancelled run is fine. Throws
 * `RunNotFound`, `WrongStatus`.
 */
export async function cancelRun(runtime: Runtime, ref: RunRef, compensate = false): Promise<void> {
  const moved = await runtime.store.cancelRun(ref, compensate);
  await settle(runtime, ref, moved, "cancelled", "ready, running, waiting and paused");
}

/** Holds a run and its descendants until they are resumed. What is delivered meanwhile is kept. Pausing a paused run is fine. */
export async function pauseRun(runtime: Runtime, ref: RunRef): Promise<void> {
  await settle(runtime, ref, await runtime.store.pauseRun(ref), "paused", "ready, running and waiting");
}

export async function resumeRun(runtime: Runtime, ref: RunRef): Promise<void> {
  await settle(runtime, ref, await runtime.store.resumeRun(ref), "resumed", "paused");
}

async function settle(
  runtime: Runtime,
  ref: RunRef,
  { result, due }: Moved,
  verb: string,
  allowed: string,
): Promise<void> {
  if (result === "not_found") throw new RunNotFound(ref.runId);
  if (result !== "moved" && result !== "unchanged") throw new WrongStatus(ref.runId, result, verb, allowed);
  await wakeDue(runtime, due, `after a run was ${verb}`);
}
