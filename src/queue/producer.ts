import type { WakeUps } from "../engine/ports.ts";
import type { WakeUpMessage } from "./message.ts";

/** The vendor's limits: a delay of at most 24 hours, 100 messages in one `sendBatch`. */
const LONGEST_DELAY_MS = 86_400_000;
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
          const delaySeconds = Math.floor(wakeInMs / 1_000);
          const holdMs = Math.ceil(wakeInMs - delaySeconds * 1_000);
          const body: WakeUpMessage = {
            v: 1,
            tenant,
            runId,
            ...(branch === undefined ? {} : { branch }),
            ...(holdMs > 0 ? { holdMs: Math.min(holdMs, 999) } : {}),
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
