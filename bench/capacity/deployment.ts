/**
 * A deployment as the simulation sees it, close to `src/queue/consumer.ts`, `src/runtime/dispatch-turns.ts` and
 * `src/runtime/group-commit.ts`: a batch is claimed in one call, its turns share a thread, what ends while a commit is in flight
 * goes together in the next, and wake-ups are sent after the commit.
 */
import { seeded } from "../../test/support/random.ts";
import { Database } from "./database.ts";
import type { Parameters } from "./parameters.ts";
import { SimulatedQueue } from "./queue.ts";
import { Timeline } from "./timeline.ts";

/** What a run does: after each of its turns it says how many wake-ups follow. */
export interface Run {
  readonly home: number;
  /** Its turn, or that of one of its branches, is committed. Gives the number of wake-ups. */
  committed(): number;
}

export class Deployment {
  readonly timeline = new Timeline();
  readonly database: Database;
  readonly queues: readonly SimulatedQueue<Run>[];
  steps = 0;
  /** Wake-ups that all queues refused: the sweep's, which comes after the end of a simulation. */
  lost = 0;
  private readonly parameters: Parameters;
  private readonly random: () => number;
  private readonly shared = new Thread(this.timeline);

  constructor(parameters: Parameters, seed: number) {
    this.parameters = parameters;
    this.random = seeded(seed);
    this.database = new Database(this.timeline, parameters.roundTripMs, parameters.cores);
    this.queues = Array.from(
      { length: parameters.queues },
      () =>
        new SimulatedQueue<Run>(this.timeline, parameters, (runs, release) => this.consume(runs, release)),
    );
  }

  /** Branches after the first batch of them go to other queues than their run. */
  wake(run: Run, messages = 1): void {
    const { queues } = this;
    const hopMs = this.hopMs();
    for (let i = 0; i < messages; i++) {
      const first = run.home + Math.floor(i / this.parameters.batchSize);
      const isSent = queues.some((_, next) => queues[(first + next) % queues.length]?.send(run, hopMs));
      if (!isSent) this.lost += 1;
    }
  }

  private consume(runs: readonly Run[], release: () => void): void {
    const { claim, turnCpuMs, turnMs, stepMs, hasThreadEach, waitsForTurns } = this.parameters;
    const thread = hasThreadEach ? new Thread(this.timeline) : this.shared;
    const commits = new Commits(this, runs.length, () => waitsForTurns && release());
    this.database.call(claim, runs.length, () => {
      if (!waitsForTurns) release();
      for (const run of runs) {
        const ended = thread.take(turnCpuMs) + turnMs + stepMs;
        this.timeline.after(ended, () => commits.add(run));
      }
    });
  }

  commit(runs: readonly Run[], committed: () => void, sent: () => void): void {
    this.database.call(this.parameters.commit, runs.length, () => {
      this.steps += runs.length;
      committed();
      for (const run of runs) {
        const messages = run.committed();
        if (messages > 0) this.wake(run, messages);
      }
      this.timeline.after(this.parameters.sendMs, sent);
    });
  }

  /** Log-normal, by the Box-Muller transform. */
  private hopMs(): number {
    const { hopMs, hopSpread } = this.parameters;
    if (hopSpread === 0) return hopMs;
    const normal = Math.sqrt(-2 * Math.log(1 - this.random())) * Math.cos(2 * Math.PI * this.random());
    return hopMs * Math.exp(hopSpread * normal);
  }
}

/** The commits of one batch: one in flight, and what ends meanwhile in the next. */
class Commits {
  private readonly deployment: Deployment;
  private readonly done: () => void;
  private collected: Run[] = [];
  private isInFlight = false;
  private left: number;

  constructor(deployment: Deployment, turns: number, done: () => void) {
    this.deployment = deployment;
    this.left = turns;
    this.done = done;
  }

  add(run: Run): void {
    this.collected.push(run);
    if (!this.isInFlight) this.flush();
  }

  private flush(): void {
    const runs = this.collected;
    this.collected = [];
    this.isInFlight = true;
    const committed = () => {
      this.isInFlight = false;
      if (this.collected.length > 0) this.flush();
    };
    const sent = () => {
      this.left -= runs.length;
      if (this.left === 0) this.done();
    };
    this.deployment.commit(runs, committed, sent);
  }
}

/** Does one thing after the other. */
class Thread {
  private readonly timeline: Timeline;
  private freeAt = 0;

  constructor(timeline: Timeline) {
    this.timeline = timeline;
  }

  /** Gives in how many milliseconds it will be done. */
  take(ms: number): number {
    this.freeAt = Math.max(this.timeline.now, this.freeAt) + ms;
    return this.freeAt - this.timeline.now;
  }
}
