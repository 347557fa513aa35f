/**
 * Group commit: while one commit is in flight, later outcomes collect and go together in the next. Alone, an
 * outcome waits for nothing; under load one round trip carries many.
 *
 * An answer that is lost says nothing about the commit. Trying it again is safe: the fence (I2) lets it
 * through once, and the store answers for a turn that this very decision ended already.
 */
import { StoreUnavailable } from "../engine/errors.ts";
import type { DueRun } from "../engine/ports.ts";
import type { Runtime } from "./runtime.ts";

const TRIES = 5;
const FIRST_WAIT_MS = 100;

/** How one kind of outcome is committed. */
export interface Commit<Item> {
  /** For the operator: what could not be committed. */
  readonly what: string;
  /** Gives what is due because of it. */
  write(items: readonly Item[]): Promise<readonly DueRun[]>;
  /** About what it takes. */
  bytesOf(item: Item): number;
  /** What to write instead of an item that the database will never accept; null for nothing. */
  refused(item: Item, cause: unknown): Item | null;
  /** What can wait until the wake-ups are sent. Never rejects. */
  after?(items: readonly Item[]): Promise<void>;
}

export class GroupCommit<Item> {
  private readonly runtime: Runtime;
  private readonly how: Commit<Item>;
  private collected: Item[] = [];
  private inFlight: Promise<unknown> = Promise.resolve();
  private next: Promise<void> | undefined;

  constructor(runtime: Runtime, how: Commit<Item>) {
    this.runtime = runtime;
    this.how = how;
  }

  /** Resolves once the item is durable, or refused because its turn has moved on, and its wake-ups are sent. */
  add(item: Item): Promise<void> {
    this.collected.push(item);
    this.next ??= this.flushAfter(this.inFlight);
    return this.next;
  }

  private async flushAfter(inFlight: Promise<unknown>): Promise<void> {
    await inFlight;
    // Turns that ended in the same instant are still on their way here.
    await this.runtime.clock.rest.settled();
    const items = this.collected;
    this.collected = [];
    this.next = undefined;
    const commit = this.commitAll(items);
    this.inFlight = commit;
    await this.wake(await commit);
    await this.how.after?.(items);
  }

  private async wake(due: readonly DueRun[]): Promise<void> {
    try {
      await this.runtime.wakeUps.send(due);
    } catch (error) {
      this.runtime.report("sending wake-ups after a commit", error);
    }
  }

  /** As many at once as one request should carry. Never rejects. */
  private async commitAll(items: readonly Item[]): Promise<readonly DueRun[]> {
    const due: DueRun[] = [];
    for (const share of this.sharesOf(items)) due.push(...(await this.commit(share)));
    return due;
  }

  private sharesOf(items: readonly Item[]): Item[][] {
    const shares: Item[][] = [];
    let room = 0;
    for (const item of items) {
      const bytes = this.how.bytesOf(item);
      if (shares.length === 0 || bytes > room) {
        shares.push([]);
        room = this.runtime.settings.turnBytes;
      }
      shares.at(-1)?.push(item);
      room -= bytes;
    }
    return shares;
  }

  /** Never rejects: what cannot be committed is left to its lease. */
  private async commit(items: readonly Item[]): Promise<readonly DueRun[]> {
    try {
      return await this.persist(items);
    } catch (error) {
      this.runtime.report(`committing ${items.length} ${this.how.what}`, error);
      if (error instanceof StoreUnavailable) return [];
      return items.length > 1 ? this.commitApart(items) : this.giveUp(items, error);
    }
  }

  /** One item that Postgres refuses must not take its neighbours with it. */
  private async commitApart(items: readonly Item[]): Promise<readonly DueRun[]> {
    const due: DueRun[] = [];
    for (const item of items) due.push(...(await this.commit([item])));
    return due;
  }

  private async giveUp(items: readonly Item[], cause: unknown): Promise<readonly DueRun[]> {
    const instead = items.flatMap((item) => this.how.refused(item, cause) ?? []);
    return instead.length === 0 ? [] : this.commit(instead);
  }

  private async persist(items: readonly Item[]): Promise<readonly DueRun[]> {
    const { clock } = this.runtime;
    let first: unknown;
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.how.write(items);
      } catch (error) {
        // What went wrong first says most; the others may only follow from it.
        first ??= error;
        if (!(error instanceof StoreUnavailable)) throw error;
        if (attempt === TRIES) throw first;
        await clock.sleep(FIRST_WAIT_MS * 2 ** (attempt - 1));
      }
    }
  }
}
