/** A queue that may lose, double, delay and reorder what it is given. Time is the simulation's. */
import type { WakeUpMessage } from "../../src/queue/message.ts";

/** As in wrangler.toml. */
const MAX_RETRIES = 3;

interface Waiting {
  readonly body: WakeUpMessage;
  readonly at: number;
  readonly attempts: number;
}

/** What an invocation was handed, until it has settled it. */
export interface Batch {
  readonly handed: MessageBatch<unknown>;
  /** Those that were not settled come again, as do those that asked for it. */
  close(now: number, died: boolean): void;
}

export class SimulatedQueue {
  private waiting: Waiting[] = [];

  send(body: WakeUpMessage, at: number): void {
    this.waiting.push({ body, at, attempts: 1 });
  }

  available(now: number): number {
    return this.waiting.filter(({ at }) => at <= now).length;
  }

  /** When the next message can be handed over; Infinity for none. */
  nextAt(): number {
    return Math.min(...this.waiting.map(({ at }) => at));
  }

  /** Loses one. */
  drop(now: number, pick: (count: number) => number): void {
    this.takeOne(now, pick);
  }

  /** Hands one over twice. */
  double(now: number, pick: (count: number) => number): void {
    const message = this.takeOne(now, pick);
    if (message !== undefined) this.waiting.push(message, { ...message });
  }

  /** Takes at most so many, in any order. */
  batch(now: number, size: number, pick: (count: number) => number): Batch {
    const taken: Waiting[] = [];
    while (taken.length < size) {
      const message = this.takeOne(now, pick);
      if (message === undefined) break;
      taken.push(message);
    }
    const settled = new Map<Waiting, number | null>();
    const messages = taken.map((message) => ({
      body: message.body,
      ack: () => settled.set(message, null),
      retry: ({ delaySeconds = 0 } = {}) => settled.set(message, delaySeconds),
    }));
    return {
      handed: { messages } as unknown as MessageBatch<unknown>,
      close: (later, died) => {
        for (const message of taken) {
          const delay = settled.get(message);
          // A handler that returns acknowledges what it said nothing of.
          if (delay === null || (delay === undefined && !died)) continue;
          if (message.attempts > MAX_RETRIES) continue;
          const at = later + (delay ?? 0) * 1_000;
          this.waiting.push({ body: message.body, at, attempts: message.attempts + 1 });
        }
      },
    };
  }

  private takeOne(now: number, pick: (count: number) => number): Waiting | undefined {
    const ready = this.waiting.filter(({ at }) => at <= now);
    const message = ready[pick(ready.length)];
    if (message !== undefined) this.waiting.splice(this.waiting.indexOf(message), 1);
    return message;
  }
}
