import type { DueRun } from "../engine/ports.ts";
import type { Runtime } from "./runtime.ts";

/** What was done is durable: a wake-up that cannot be sent is reported, and the sweep sends it again. */
export async function wakeDue(runtime: Runtime, due: readonly DueRun[], when: string): Promise<void> {
  await runtime.wakeUps
    .send(due)
    .catch((error: unknown) => runtime.report(`sending wake-ups ${when}`, error));
}
