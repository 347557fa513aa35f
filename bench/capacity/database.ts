import type { StatementCost } from "./parameters.ts";
import type { Timeline } from "./timeline.ts";

/** One Postgres behind a round trip: a call waits for a core and occupies it for what it costs. */
export class Database {
  /** How many calls it answered, and for how many turns. */
  calls = 0;
  turns = 0;
  /** Of all cores. */
  busyMs = 0;
  /** Calls under way, each of which takes a connection. */
  open = 0;
  mostOpen = 0;
  private readonly timeline: Timeline;
  private readonly roundTripMs: number;
  /** When each core will be free. */
  private readonly freeAt: number[];

  constructor(timeline: Timeline, roundTripMs: number, cores: number) {
    this.timeline = timeline;
    this.roundTripMs = roundTripMs;
    this.freeAt = Array.from({ length: cores }, () => 0);
  }

  call(cost: StatementCost, turns: number, answered: () => void): void {
    this.timeline.after(this.roundTripMs / 2, () => {
      const ms = cost.perCallMs + cost.perTurnMs * turns;
      this.open += 1;
      this.mostOpen = Math.max(this.mostOpen, this.open);
      this.timeline.after(this.occupy(ms) - this.timeline.now, () => {
        this.open -= 1;
        this.calls += 1;
        this.turns += turns;
        this.busyMs += ms;
        this.timeline.after(this.roundTripMs / 2, answered);
      });
    });
  }

  /** Gives when the call is done. */
  private occupy(ms: number): number {
    const core = this.freeAt.indexOf(Math.min(...this.freeAt));
    const done = Math.max(this.timeline.now, this.freeAt[core] ?? 0) + ms;
    this.freeAt[core] = done;
    return done;
  }
}
