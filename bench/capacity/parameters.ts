/** What the simulation is given. Spans are in milliseconds; where a figure comes from stands beside it. */

export interface StatementCost {
  readonly perCallMs: number;
  readonly perTurnMs: number;
}

export interface Parameters {
  readonly queues: number;
  readonly batchSize: number;
  /** Of one queue, at most; the platform has fewer as long as nothing waits. */
  readonly consumers: number;
  /** That one queue accepts; it refuses what is more. */
  readonly messagesPerSecond: number;
  /** From a send to the hand-over: the median of a log-normal distribution, whose shape is `hopSpread`. */
  readonly hopMs: number;
  readonly hopSpread: number;
  /** Until a send has its answer. */
  readonly sendMs: number;
  /** Whether a consumer is held until its turns are committed, or only until they are claimed (`PAWL_CONSUMER_WAIT_MS` is 0). */
  readonly waitsForTurns: boolean;
  /** Whether every consumer has a thread of its own, or all share one. */
  readonly hasThreadEach: boolean;
  /** Of the thread, for replay, loopback and dispatch of one turn. */
  readonly turnCpuMs: number;
  /** What a turn takes besides, without using the thread. */
  readonly turnMs: number;
  /** What the body of a step takes. */
  readonly stepMs: number;
  readonly roundTripMs: number;
  /** Of Postgres. A call occupies one for what it costs. */
  readonly cores: number;
  readonly claim: StatementCost;
  readonly commit: StatementCost;
}

/**
 * Of `bench/README.md`, on a quiet machine: a lone claim takes 1.3 ms and a lone commit 1.25 ms, of which 0.45 ms are an empty
 * question and its answer. For each turn, `npm run bench:capacity -- --measure`. In a full batch that is 0.28 ms a step,
 * where 0.18 to 0.28 ms of CPU time were measured.
 */
const STATEMENTS = {
  claim: { perCallMs: 0.75, perTurnMs: 0.1 },
  commit: { perCallMs: 0.67, perTurnMs: 0.13 },
};

/** The same: workerd takes 0.31 to 0.42 ms a step in batches, and a lone turn 1.25 ms. */
const TURNS = { turnCpuMs: 0.37, turnMs: 0.88 };

/** Plain Miniflare on the machine of `bench/README.md`: one batch at a time, one isolate, one of two cores for Postgres. */
export const LOCAL: Parameters = {
  ...STATEMENTS,
  ...TURNS,
  queues: 1,
  batchSize: 30,
  consumers: 1,
  messagesPerSecond: Number.POSITIVE_INFINITY,
  hopMs: 2.2,
  hopSpread: 0,
  sendMs: 0.2,
  waitsForTurns: false,
  hasThreadEach: false,
  stepMs: 0,
  roundTripMs: 0.45,
  cores: 1,
};

/**
 * Cloudflare and Neon. 5,000 messages a second to a queue and 250 consumers:
 * https://developers.cloudflare.com/queues/platform/limits/. A median of 60 ms for a send:
 * https://blog.cloudflare.com/how-we-built-cloudflare-queues/; how long the hand-over takes after it, and how the times are
 * spread, is not published: the send is taken for the whole hop, and the spread is an assumption.
 */
export const PRODUCTION: Parameters = {
  ...STATEMENTS,
  ...TURNS,
  queues: 1,
  batchSize: 30,
  consumers: 250,
  messagesPerSecond: 5_000,
  hopMs: 60,
  hopSpread: 0.3,
  sendMs: 60,
  waitsForTurns: true,
  hasThreadEach: true,
  stepMs: 0,
  roundTripMs: 10,
  cores: 4,
};
