import type { Timeline } from "./timeline.ts";

interface Limits {
  readonly batchSize: number;
  readonly consumers: number;
  readonly messagesPerSecond: number;
}

/** One queue of the platform: it refuses what is too much, and hands batches to as many consumers as it needs. */
export class SimulatedQueue<Message> {
  accepted = 0;
  refused = 0;
  batches = 0;
  /** The sum over all consumers of how long each was held. */
  heldMs = 0;
  private readonly timeline: Timeline;
  private readonly limits: Limits;
  private readonly consume: (messages: readonly Message[], release: () => void) => void;
  private readonly waiting: Message[] = [];
  /** How many messages it would accept at once: what it may accept in a second, where it has accepted none for one. */
  private credit: number;
  private creditedAt = 0;
  private held = 0;
  /** How many consumers it may have now. */
  private scale = 1;

  constructor(
    timeline: Timeline,
    limits: Limits,
    consume: (messages: readonly Message[], release: () => void) => void,
  ) {
    this.timeline = timeline;
    this.limits = limits;
    this.consume = consume;
    this.credit = limits.messagesPerSecond;
  }

  /** False when it refuses. */
  send(message: Message, hopMs: number): boolean {
    if (!this.take()) {
      this.refused += 1;
      return false;
    }
    this.accepted += 1;
    this.timeline.after(hopMs, () => {
      this.waiting.push(message);
      // What arrives in the same instant goes in one batch.
      this.timeline.after(0, () => this.handOver());
    });
    return true;
  }

  private take(): boolean {
    const { messagesPerSecond } = this.limits;
    if (messagesPerSecond === Number.POSITIVE_INFINITY) return true;
    const earned = ((this.timeline.now - this.creditedAt) * messagesPerSecond) / 1_000;
    this.credit = Math.min(messagesPerSecond, this.credit + earned);
    this.creditedAt = this.timeline.now;
    if (this.credit < 1) return false;
    this.credit -= 1;
    return true;
  }

  private handOver(): void {
    while (this.held < this.scale && this.waiting.length > 0) {
      const batch = this.waiting.splice(0, this.limits.batchSize);
      const since = this.timeline.now;
      this.batches += 1;
      this.held += 1;
      this.consume(batch, () => this.release(since));
    }
  }

  /**
   * "After processing a batch", says the platform, it looks at the backlog and adjusts the number of consumers
   * (https://developers.cloudflare.com/queues/configuration/consumer-concurrency/). By how much is not published: here by one.
   */
  private release(since: number): void {
    this.held -= 1;
    this.heldMs += this.timeline.now - since;
    if (this.waiting.length > 0) this.scale = Math.min(this.limits.consumers, this.scale + 1);
    else this.scale = Math.max(1, this.scale - 1);
    this.handOver();
  }
}
