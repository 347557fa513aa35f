import type { NewSignal } from "../engine/ports.ts";
import type { Runtime } from "./runtime.ts";
import { wakeDue } from "./wake-due.ts";

/** Members that are signalled in one transaction. */
const SHARE = 500;

/**
 * Signals every member of a group that is not over, share by share; gives how many there were. One that fails half-way
 * can be sent again under the same id: whoever has the signal does not get it twice.
 */
export async function signalGroup(
  runtime: Runtime,
  tenant: string,
  group: string,
  signal: Omit<NewSignal, "runId">,
): Promise<number> {
  let count = 0;
  for (let after: string | null = ""; after !== null; ) {
    const share = await runtime.store.signalGroup(tenant, group, signal, after, SHARE);
    await wakeDue(runtime, share.due, "after a signal to a group");
    count += share.signalled;
    after = share.next;
  }
  return count;
}
