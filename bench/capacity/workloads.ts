/** What the deployment is given to do. */
import { Deployment, type Run } from "./deployment.ts";
import type { Parameters } from "./parameters.ts";

const SEED = 4711;

/** One run of 20 steps, alone: milliseconds per step. */
export function w1(parameters: Parameters): number {
  const steps = 20;
  const deployment = new Deployment(parameters, SEED);
  deployment.wake(sequence(0, steps));
  deployment.timeline.runUntil(Number.POSITIVE_INFINITY);
  return deployment.timeline.now / steps;
}

/** 1,000 runs of 5 steps, all started up front: steps per second. */
export function w2(parameters: Parameters): number {
  const [runs, steps] = [1_000, 5];
  const deployment = new Deployment(parameters, SEED);
  for (let i = 0; i < runs; i++) deployment.wake(sequence(i, steps));
  deployment.timeline.runUntil(Number.POSITIVE_INFINITY);
  return (runs * steps * 1_000) / deployment.timeline.now;
}

/** One run with 200 steps side by side: milliseconds. A turn that forks, the branches, and a turn that takes their outcomes. */
export function w3(parameters: Parameters): number {
  const width = 200;
  const deployment = new Deployment(parameters, SEED);
  let turns = 0;
  const run: Run = {
    home: 0,
    committed() {
      turns += 1;
      if (turns === 1) return width;
      return turns === 1 + width ? 1 : 0;
    },
  };
  deployment.wake(run);
  deployment.timeline.runUntil(Number.POSITIVE_INFINITY);
  return deployment.timeline.now;
}

function sequence(home: number, steps: number): Run {
  let left = steps;
  return {
    home,
    committed() {
      left -= 1;
      return left > 0 ? 1 : 0;
    },
  };
}

/** What may be used up, the one that says most about a deployment first. */
const LIMITS = ["messages", "cores", "consumers"] as const;
export type Limit = (typeof LIMITS)[number];

export interface Load {
  readonly stepsPerSecond: number;
  /** How much of each is used, from 0 to 1. */
  readonly used: Readonly<Record<Limit, number>>;
  /** What stands in the way of more; null where there are too few runs to come to any limit. */
  readonly limit: Limit | null;
  readonly runsPerBatch: number;
  readonly turnsPerCall: number;
  readonly callsPerSecond: number;
  readonly mostConnections: number;
}

/** From so much on, something is used up: batches are whole, and a queue's credit comes in small coin. */
const USED_UP = 0.93;

/** Until what the queues accept and what waits in them has settled. */
const WARM_UP_MS = 9_000;
const WINDOW_MS = 3_000;
/** Slow steps that began together end together: a window holds several of their waves. */
const WAVES = 8;
/** The number of consumers at most doubles while one batch is worked on: after so many of them it is what it will be. */
const SCALING_STEPS = 12;

/** So many runs, each of which takes one step after the other for as long as anybody looks. */
export function load(parameters: Parameters, runs: number): Load {
  const deployment = new Deployment(parameters, SEED);
  const { timeline, queues, database } = deployment;
  for (let home = 0; home < runs; home++) {
    timeline.after((home * 1_000) / runs, () => deployment.wake({ home, committed: () => 1 }));
  }
  const windowMs = WINDOW_MS + WAVES * parameters.stepMs;
  const warmUpMs = WARM_UP_MS + SCALING_STEPS * parameters.stepMs;
  timeline.runUntil(warmUpMs);
  database.mostOpen = 0;
  const before = tally(deployment);
  timeline.runUntil(warmUpMs + windowMs);
  const after = tally(deployment);
  const during = (what: keyof typeof after) => after[what] - before[what];
  const perSecond = (what: keyof typeof after) => (during(what) * 1_000) / windowMs;
  const used = {
    messages: perSecond("accepted") / (parameters.messagesPerSecond * queues.length),
    cores: Math.min(1, during("busyMs") / (windowMs * parameters.cores)),
    consumers: Math.min(1, during("heldMs") / (windowMs * parameters.consumers * queues.length)),
  };
  return {
    stepsPerSecond: perSecond("steps"),
    used,
    limit: LIMITS.find((limit) => used[limit] >= USED_UP) ?? null,
    runsPerBatch: during("accepted") / during("batches"),
    turnsPerCall: during("turns") / during("calls"),
    callsPerSecond: perSecond("calls"),
    mostConnections: database.mostOpen,
  };
}

function tally({ steps, queues, database }: Deployment) {
  const sum = (what: "accepted" | "batches" | "heldMs") =>
    queues.reduce((total, queue) => total + queue[what], 0);
  const { calls, turns, busyMs } = database;
  return {
    steps,
    calls,
    turns,
    busyMs,
    accepted: sum("accepted"),
    batches: sum("batches"),
    heldMs: sum("heldMs"),
  };
}
