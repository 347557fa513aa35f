import type { DueRun, WakeUps } from "../engine/ports.ts";
import { chooseQueues } from "./choose-queues.ts";
import { LONGEST_DELAY_MS, type WakeUpMessage } from "./message.ts";
import type { WakeUpQueue } from "./queues.ts";

/** The vendor's limit for one `sendBatch`. */
const BATCH = 100;

type Request = MessageSendRequest<WakeUpMessage>;

export interface ProducerDeps {
  /** At least one. */
  readonly queues: readonly WakeUpQueue[];
  /** From 0 up to 1. */
  readonly random: () => number;
  /** Tells the operator about a queue whose messages another one took. */
  readonly report: (what: string, error: unknown) => void;
}

/**
 * Sends wake-ups in batches, to all queues at once. What is due later than the queue can delay a message is left to the
 * sweep, which knows it by `wake_up_sent_at` being null. What one queue refuses the next one is given; a send fails when
 * all have refused a part of it, and what was sent by then is sent.
 */
export function createWakeUps({ queues, random, report }: ProducerDeps): WakeUps {
  const sendTo = async (first: number, messages: readonly Request[]): Promise<void> => {
    for (let i = 0; i < messages.length; i += BATCH) await sendBatch(first, messages.slice(i, i + BATCH));
  };

  const sendBatch = async (first: number, messages: readonly Request[]): Promise<void> => {
    const inOrder = [...queues.slice(first), ...queues.slice(0, first)];
    for (const [i, { binding, queue }] of inOrder.entries()) {
      try {
        await queue.sendBatch(messages);
        return;
      } catch (error) {
        if (i === inOrder.length - 1) throw error;
        report(`sending ${messages.length} messages to ${binding}, which the next queue is given`, error);
      }
    }
  };

  const sendEach = async (due: readonly DueRun[], choices: readonly number[]): Promise<void> => {
    const shares = queues.map((): Request[] => []);
    for (const [i, run] of due.entries()) {
      if (run.wakeInMs < LONGEST_DELAY_MS) shares[choices[i] ?? 0]?.push(toRequest(run));
    }
    const sends = await Promise.allSettled(shares.map((messages, i) => sendTo(i, messages)));
    const errors = sends.flatMap((send) => (send.status === "rejected" ? [send.reason as unknown] : []));
    if (errors.length > 1) throw new AggregateError(errors, `No queue takes them: ${errors.join("; ")}`);
    if (errors.length === 1) throw errors[0];
  };

  const anyQueue = () => Math.floor(random() * queues.length);

  return {
    send: (due) => sendEach(due, chooseQueues(due, queues.length)),
    sendAgain: (due) => {
      const first = anyQueue();
      return sendEach(
        due,
        due.map((_, i) => (first + i) % queues.length),
      );
    },
    async sweepAgain(only, delaySeconds) {
      const body: WakeUpMessage = { v: 1, sweep: true, ...(only === undefined ? {} : { only }) };
      const delay = delaySeconds === undefined ? {} : { delaySeconds };
      await sendTo(anyQueue(), [{ body, contentType: "json", ...delay }]);
    },
  };
}

function toRequest({ tenant, runId, wakeInMs, branch }: DueRun): Request {
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
}
