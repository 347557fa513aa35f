/** `bench/CAPACITY.md`: what the simulation found. */
import { PRODUCTION } from "./parameters.ts";
import { BATCHES, CONSUMER_LIMITS, CORES, QUEUES, ROUND_TRIPS, STEPS, type Study } from "./study.ts";
import type { Load } from "./workloads.ts";

/** The medians of `bench/README.md` in plain Miniflare. */
const MEASURED = { w1: 6.72, w2: 2_277, w3: 166 };

const LIMIT_MARKS = { messages: "q", cores: "p", consumers: "c" } as const;

export function report({ local, alone, byQueues, byRoundTrip, byConsumers, bySteps }: Study): string {
  const { claim, commit } = PRODUCTION;
  return `# Capacity

Written by \`npm run bench:capacity\`: a simulation, not a measurement. It knows the published limits of Cloudflare Queues, what a
claim, a turn and a commit take on the machine of [README.md](README.md), and how the code shares claims and commits. The same
seed gives the same figures. What follows from them is in [docs/scaling.md](../docs/scaling.md).

![Steps per second by queues and by round trip](capacity.svg)

After a figure stands what was used up: **q** the messages that the queues accept, **p** the cores of Postgres, **c** the
consumers. Unless a table says otherwise: a step takes no time of its own, the round trip to the database takes
${PRODUCTION.roundTripMs} ms, batches hold up to ${PRODUCTION.batchSize}, a queue has up to 50 consumers (\`max_concurrency = 50\`), and
there are always more runs due than can be taken.

## Queues and cores

Steps per second:

${table(
  ["cores of Postgres", ...QUEUES.map((queues) => `${queues} ${queues === 1 ? "queue" : "queues"}`)],
  CORES.map((cores, i) => [String(cores), ...(byQueues[i] ?? []).map(steps)]),
)}

## Batches and round trips

Four queues and 16 cores. Steps per second:

${table(
  ["batches of at most", ...ROUND_TRIPS.map((ms) => `${ms} ms`)],
  BATCHES.map((size, i) => [String(size), ...(byRoundTrip[i] ?? []).map(steps)]),
)}

A round trip costs a full batch hardly anything: more consumers wait for it side by side. A run that is alone feels all of it:

${table(
  ["round trip", ...ROUND_TRIPS.map((ms) => `${ms} ms`)],
  [["milliseconds per step", ...alone.map((ms) => ms.toFixed(0))]],
)}

## Consumers

One queue and ${PRODUCTION.cores} cores. The fewer consumers there are, the fuller their batches, and the less each step costs Postgres:

${table(
  ["at most", ...CONSUMER_LIMITS.map((consumers) => `${consumers} consumers`)],
  [
    ["steps/s", ...byConsumers.map(steps)],
    ["runs in a batch", ...byConsumers.map(({ runsPerBatch }) => runsPerBatch.toFixed(1))],
    ["Postgres' cores busy", ...byConsumers.map(({ used }) => `${Math.round(used.cores * 100)} %`)],
    ["most connections at once", ...byConsumers.map(({ mostConnections }) => String(mostConnections))],
  ],
)}

A consumer is held until its slowest step is done. So slow steps need all the consumers there are. Steps per second:

${table(
  ["a step takes", ...STEPS.map((ms) => (ms < 1_000 ? `${ms} ms` : `${ms / 1_000} s`))],
  ["at most 50 consumers", `at most ${PRODUCTION.consumers}`].map((name, i) => [
    name,
    ...bySteps.map((loads) => steps(loads[i])),
  ]),
)}

## How far to trust it

The same model with this machine's parameters (a hop of 2.2 ms, a round trip of 0.45 ms, one consumer, one isolate), beside the
medians of [README.md](README.md) in plain Miniflare:

${table(
  ["", "simulated", "measured", "error"],
  [
    ["W1, ms per step", local.w1.toFixed(2), MEASURED.w1.toFixed(2), error(local.w1, MEASURED.w1)],
    ["W2, steps/s", steps(local.w2), steps(MEASURED.w2), error(local.w2, MEASURED.w2)],
    ["W3, ms for 200 side by side", local.w3.toFixed(0), String(MEASURED.w3), error(local.w3, MEASURED.w3)],
  ],
)}

- **Nothing was fitted to these three.** W1 is little more than the sum of its own parts, measured one by one. The CPU time of a turn
  was measured in W2, its steps per second were not used. W2 comes out too fast: Postgres, the gateway and workerd share two
  cores there, and the model gives each its own. W3 is far too fast: a branch delivers its outcome under a lock of its run, which
  takes further turns meanwhile, and the model leaves both out. Take a step of a fork for twice as dear.
- **A claim costs Postgres** ${claim.perCallMs} ms and ${claim.perTurnMs} ms for each run, **a commit** ${commit.perCallMs} ms and ${commit.perTurnMs} ms. The first
  figures are of the clock, with the flush of the commit, as if all of it took a core: on the safe side. They are of small values
  and of tables that fit into memory. \`npm run bench:capacity -- --measure\` measures them on the machine at hand.
- **A core here is a core of that machine.** Neon publishes the memory of a compute unit and not its CPUs; \`neon_utils.num_cpus()\` tells
  (https://neon.com/docs/extensions/neon-utils).
- **Nothing but CPU limits Postgres here**: no locks among its backends, no disk, no vacuum. Beyond some 15,000 steps per second that
  is untested.
- **Not published, and assumed:** that a hop takes as long as a send, with times spread log-normally around 60 ms, that the platform adds or takes away one
  consumer after each batch, and that it refuses what exceeds 5,000 messages in any second.
- **Figures a few percent above what the queues accept** are of messages that waited when the simulation began to count.
- **A message that all queues refuse** comes back with the sweep, after 15 s or more: beyond the end of a simulation.

Published: 5,000 messages a second for each queue, 250 consumers, batches of 100
(https://developers.cloudflare.com/queues/platform/limits/); how consumers scale
(https://developers.cloudflare.com/queues/configuration/consumer-concurrency/); a median of 60 ms for a send
(https://blog.cloudflare.com/how-we-built-cloudflare-queues/).
`;
}

function steps(given: Load | number | undefined): string {
  if (given === undefined) return "";
  const perSecond = typeof given === "number" ? given : given.stepsPerSecond;
  const rounded = Number(perSecond.toPrecision(3)).toLocaleString("en");
  if (typeof given === "number" || given.limit === null) return rounded;
  return `${rounded} ${LIMIT_MARKS[given.limit]}`;
}

function error(simulated: number, measured: number): string {
  const percent = Math.round((simulated / measured - 1) * 100);
  return `${percent > 0 ? "+" : "−"}${Math.abs(percent)} %`;
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.join(" | ")} |`;
  return [line(head), `|${"---|".repeat(head.length)}`, ...rows.map(line)].join("\n");
}
