/**
 * Group commit: while one commit is in flight, later decisions collect and go together in the next. Alone,
 * a decision waits for nothing; under load one round trip carries many.
 *
 * An answer that is lost says nothing about the commit. Trying it again is safe: the fence (I2) lets it
 * through once, and the store answers for a turn that this very decision ended already.
 */
import { type Decision, decideDead } from "../engine/decide.ts";
import { StoreUnavailable } from "../engine/errors.ts";
import type { CommittedTurn } from "../engine/ports.ts";
import type { Runtime } from "./runtime.ts";

const TRIES = 5;
const FIRST_WAIT_MS = 100;

export class GroupCommit {
  private readonly runtime: Runtime;
  private collected: Decision[] = [];
  private inFlight: Promise<unknown> = Promise.resolve();
  private next: Promise<void> | undefined;

  constructor(runtime: Runtime) {
    this.runtime = runtime;
  }

  /** Resolves once the decision is durable, or refused because its turn has moved on, and its wake-up is sent. */
  add(decision: Decision): Promise<void> {
    this.collected.push(decision);
    this.next ??= this.flushAfter(this.inFlight);
    return this.next;
  }

  private async flushAfter(inFlight: Promise<unknown>): Promise<void> {
    await inFlight;
    // Turns that ended in the same instant are still on their way here.
    await this.runtime.clock.rest.settled();
    const decisions = this.collected;
    this.collected = [];
    this.next = undefined;
    const commit = this.commit(decisions);
    this.inFlight = commit;
    await this.wake(await commit);
  }

  private async wake(committed: readonly CommittedTurn[]): Promise<void> {
    const due = committed.flatMap(({ tenant, runId, wakeInMs }) =>
      wakeInMs === null ? [] : [{ tenant, runId, wakeInMs }],
    );
    try {
      await this.runtime.wakeUps.send(due);
    } catch (error) {
      this.runtime.report("sending wake-ups after a commit", error);
    }
  }

  /** Never rejects: a turn that cannot be committed is left to its lease. */
  private async commit(decisions: readonly Decision[]): Promise<CommittedTurn[]> {
    try {
      return await this.persist(decisions);
    } catch (error) {
      this.runtime.report(`committing ${decisions.length} turns`, error);
      if (error instanceof StoreUnavailable) return [];
      return decisions.length > 1 ? this.commitApart(decisions) : this.giveUp(decisions, error);
    }
  }

  /** One decision that Postgres refuses must not take its neighbours with it. */
  private async commitApart(decisions: readonly Decision[]): Promise<CommittedTurn[]> {
    const committed: CommittedTurn[] = [];
    for (const decision of decisions) committed.push(...(await this.commit([decision])));
    return committed;
  }

  private async giveUp(decisions: readonly Decision[], cause: unknown): Promise<CommittedTurn[]> {
    const error = new Error("The database refuses what this turn decided.", { cause });
    const dead = decisions
      .filter((decision) => decision.status !== "dead" || decision.entries.length > 0)
      .map((decision) => decideDead({ ...decision, workflow: "", timers: [] }, error));
    return dead.length === 0 ? [] : this.commit(dead);
  }

  private async persist(decisions: readonly Decision[]): Promise<CommittedTurn[]> {
    const { store, clock } = this.runtime;
    for (let attempt = 1; ; attempt++) {
      try {
        return await store.commitTurns(decisions);
      } catch (error) {
        if (!(error instanceof StoreUnavailable) || attempt === TRIES) throw error;
        await clock.sleep(FIRST_WAIT_MS * 2 ** (attempt - 1));
      }
    }
  }
}
