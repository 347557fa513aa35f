import type { NewAction } from "../engine/history.ts";
import type { Runtime } from "./runtime.ts";

/**
 * Notes what a person did to a run, once it is done. Never rejects: what was done cannot be taken back because it could
 * not be noted.
 */
export async function noteAction(runtime: Runtime, action: NewAction): Promise<void> {
  try {
    await runtime.history.add(action);
  } catch (error) {
    runtime.report(`noting that run ${action.runId} was moved (${action.verb})`, error);
  }
}
