/**
 * Decides what happens next. Whatever code under test waits for is a **point**: a call of the database, an answer, a
 * timer, the effect of a step. Between two points that code runs on without anybody else, as it does in an isolate.
 */
import type { Rest } from "../../src/engine/plan/rest.ts";

/** Something that may happen, once. */
export interface Point {
  /** For the trace. */
  readonly what: string;
  /** Whose: what an isolate waits for is lost with it. */
  readonly owner: object;
  /** Not before this time. */
  readonly at: number;
  readonly act: () => void;
}

export class Scheduler {
  points: Point[] = [];
  private rests = 0;

  /** How replay comes to rest: every microtask runs before the next turn of the loop. */
  readonly rest: Rest = {
    settled: () => {
      this.rests += 1;
      return turnOfTheLoop();
    },
    grace: () => this.rest.settled(),
  };

  add(point: Point): void {
    this.points.push(point);
  }

  remove(point: Point): void {
    const at = this.points.indexOf(point);
    if (at >= 0) this.points.splice(at, 1);
  }

  /** What the owner waits for never comes. */
  removeAll(owner: object): void {
    this.points = this.points.filter((point) => point.owner !== owner);
  }

  /** Resolves once nothing goes on by itself any more: everybody waits for a point. */
  async settled(): Promise<void> {
    for (let before = -1; before !== this.rests; ) {
      before = this.rests;
      // Whoever rests is let on by the first turn, and what that sets going has run before the second.
      await turnOfTheLoop();
      await turnOfTheLoop();
    }
  }
}

let waiting: (() => void)[] = [];

/** One turn serves all simulations that run side by side in this process: it costs more than what they do in it. */
function turnOfTheLoop(): Promise<void> {
  return new Promise((resolve) => {
    if (waiting.push(resolve) === 1) setImmediate(goOn);
  });
}

function goOn(): void {
  const all = waiting;
  waiting = [];
  for (const resolve of all) resolve();
}
