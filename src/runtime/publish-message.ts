import type { NewMessage } from "../engine/ports.ts";
import type { Runtime } from "./runtime.ts";
import { wakeDue } from "./wake-due.ts";

/** Keeps a message and brings it to whoever waits for it. The same id again changes nothing. Throws `ChannelModeConflict`. */
export async function publishMessage(runtime: Runtime, tenant: string, message: NewMessage): Promise<void> {
  await runtime.store.publish(tenant, message);
  const { sweepLimit } = runtime.settings;
  try {
    for (let brought = sweepLimit; brought >= sweepLimit; ) {
      const due = await runtime.store.matchMessages(tenant, message.channel, sweepLimit);
      await wakeDue(runtime, due, "after a message");
      brought = due.length;
    }
  } catch (error) {
    // It is published: the sweep brings it.
    runtime.report("bringing a message", error);
  }
}
