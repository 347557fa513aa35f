import type { WakeUps } from "../engine/ports.ts";
import { LONGEST_DELAY_MS, type WakeUpMessage } from "./message.ts";

/** The vendor's limit for one `sendBatch`. */
const BATCH = 100;

/**
 * Sends wake-ups in batches. What is due later than the queue can delay a message is left to the sweep,
 * which knows it by `wake_up_sent_at` being null.
 */
export function createWakeUps(queue: Queue<WakeUpMessage>): WakeUps {
  return {
    async send(due) {
      const messages = due
        .filter(({ wakeInMs }) => wakeInMs < LONGEST_DELAY_MS)
        .map(({ tenant, runId, wakeInMs, branch }): MessageSendRequest<WakeUpMessage> => {
          const delayMs = Math.ceil(wakeInMs);
          const delaySeconds = Math.floor(delayMs / 1_000);
          const body: WakeUpMessage = {
            v: 1,
            tenant,
            runId,
            ...(branch === undefined ? {} : { branch }),
            ...(delayMs > 0 ? { delayMs } : {}),
          };
          return { body, contentType: "json", ...(delaySeconds > 0 ? { delaySeconds } : {}) };
        });
      for (let i = 0; i < messages.length; i += BATCH) await queue.sendBatch(messages.slice(i, i + BATCH));
    },
    async sweepAgain(only, delaySeconds) {
      const body: WakeUpMessage = { v: 1, sweep: true, ...(only === undefined ? {} : { only }) };
      await queue.send(body, {
        contentType: "json",
        ...(delaySeconds === undefined ? {} : { delaySeconds }),
      });
    },
  };
}
