/**
 * Whoever changes something from outside marks the agenda, so that an idle cron looks after it: its wake-ups may be lost,
 * and its turns. Turns themselves need no mark, since a cron is idle only while nothing is due and nobody holds a lease.
 */
import type { Agenda, Clock, WakeUps } from "../engine/ports.ts";

/** For so long a mark stands for whatever its isolate changes. */
export const MARK_MS = 60_000;
/** Another request of this isolate may be marking; after so long it counts as dead. */
const MARKING_MS = 5_000;
const POLL_MS = 10;
/** Where the agenda took no mark: a wake-up that was lost, or a turn, is found by then. */
const SWEEP_IN_SECONDS = 60;

/** What marking takes of a `Runtime`. */
interface Deps {
  readonly agenda: Agenda | null;
  readonly clock: Clock;
  readonly wakeUps: WakeUps;
  uuid(): string;
  report(what: string, error: unknown): void;
}

/** What this isolate has marked: one write a minute, however much is changed. */
export class Marks {
  /** By the worker's clock. */
  private markedAt = Number.NEGATIVE_INFINITY;
  private isMarking = false;

  /** Marks before the work, so that no answer comes without; and after it, for work that took longer than a mark stands. */
  async during<T>(deps: Deps, work: () => Promise<T>): Promise<T> {
    const { agenda } = deps;
    if (agenda === null) return work();
    await this.mark(deps, agenda);
    try {
      return await work();
    } finally {
      await this.mark(deps, agenda);
    }
  }

  /** Never rejects. */
  private async mark(deps: Deps, agenda: Agenda): Promise<void> {
    const { clock } = deps;
    if (this.isMarked(clock.now())) return;
    for (let waitedMs = 0; this.isMarking && waitedMs < MARKING_MS; waitedMs += POLL_MS)
      await clock.sleep(POLL_MS);
    const begunAt = clock.now();
    if (this.isMarked(begunAt)) return;
    this.isMarking = true;
    try {
      await agenda.mark(deps.uuid());
    } catch (error) {
      deps.report("marking the agenda", error);
      await this.askForSweep(deps);
    }
    // Also where it was refused: a deployment whose agenda is broken must not pay for it with every request.
    this.markedAt = begunAt;
    this.isMarking = false;
  }

  private isMarked(now: number): boolean {
    const ageMs = now - this.markedAt;
    // A clock that was set back knows nothing.
    return ageMs >= 0 && ageMs < MARK_MS;
  }

  private async askForSweep({ wakeUps, report }: Deps): Promise<void> {
    await wakeUps
      .sweepAgain(undefined, SWEEP_IN_SECONDS)
      .catch((error: unknown) => report("asking for a sweep in place of a mark", error));
  }
}
