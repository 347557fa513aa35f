/** What is asked of the simulation. */
import { LOCAL, type Parameters, PRODUCTION } from "./parameters.ts";
import { type Load, load, w1, w2, w3 } from "./workloads.ts";

/** More than any deployment here can keep up with. */
const RUNS = 20_000;
/** For a study of short steps: enough, and few enough for batches to fill (see "consumers"). */
const CONSUMERS = 50;

export const QUEUES = [1, 2, 3, 4, 6, 8];
export const CORES = [2, 4, 8, 16];
export const BATCHES = [1, 5, 10, 30];
export const ROUND_TRIPS = [5, 10, 20, 35, 50];
export const CONSUMER_LIMITS = [5, 10, 25, 50, 100, 250];
export const STEPS = [0, 100, 1_000, 10_000];

export interface Study {
  readonly local: { readonly w1: number; readonly w2: number; readonly w3: number };
  /** Milliseconds per step of a lone run, by the round trip. */
  readonly alone: readonly number[];
  /** By cores, then by queues. */
  readonly byQueues: readonly (readonly Load[])[];
  /** By batch size, then by round trip; of four queues on 16 cores. */
  readonly byRoundTrip: readonly (readonly Load[])[];
  /** Of one queue on four cores. */
  readonly byConsumers: readonly Load[];
  /** By what a step takes, then by whether consumers are limited; of one queue on four cores. */
  readonly bySteps: readonly (readonly Load[])[];
}

export function study(): Study {
  return {
    local: { w1: w1(LOCAL), w2: w2(LOCAL), w3: w3(LOCAL) },
    alone: ROUND_TRIPS.map((roundTripMs) => w1({ ...PRODUCTION, roundTripMs, hopSpread: 0 })),
    byQueues: CORES.map((cores) => QUEUES.map((queues) => of({ cores, queues }))),
    byRoundTrip: BATCHES.map((batchSize) =>
      ROUND_TRIPS.map((roundTripMs) => of({ cores: 16, queues: 4, batchSize, roundTripMs })),
    ),
    byConsumers: CONSUMER_LIMITS.map((consumers) => of({ consumers })),
    bySteps: STEPS.map((stepMs) =>
      [CONSUMERS, PRODUCTION.consumers].map((consumers) =>
        // The slower the steps, the more runs are under way.
        of({ stepMs, consumers }, RUNS + stepMs * 8),
      ),
    ),
  };
}

function of(changes: Partial<Parameters>, runs = RUNS): Load {
  return load({ ...PRODUCTION, consumers: CONSUMERS, ...changes }, runs);
}
