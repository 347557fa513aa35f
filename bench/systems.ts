/** The systems, their settings and what holds of them. The settings are what the adapters get, and what the results show. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { Options } from "./system.ts";

export interface System {
  /** Its adapter is `systems/<name>.ts`. */
  readonly name: string;
  /** A queue has no runs: one job is one step, and each enqueues the next. */
  readonly kind: "durable" | "queue";
  readonly package?: string;
  /** Whether it has a durable sleep. */
  readonly sleeps: boolean;
  /** Whether it keeps what a step gives. */
  readonly outputs: boolean;
  readonly settings: readonly Setting[];
}

export interface Setting {
  readonly name: string;
  readonly options: Options;
  /** How runs get to a worker under these options, in words. */
  readonly says: string;
  /** Default is what a newcomer has; where a number of workers has to be said, it is 10. */
  readonly level: "default" | "tuned";
  /** Whether its idle minutes are counted. */
  readonly idle: boolean;
  readonly caps?: Caps;
}

/** Where a workload has to be smaller than everybody's. */
export interface Caps {
  /** Of W2. */
  readonly runs?: number;
  /** Of W4. */
  readonly longSteps?: number;
  /** Workloads that are left out. */
  readonly without?: readonly string[];
  readonly why: string;
}

const STEP_LIMIT = {
  longSteps: 1_000,
  why: "W4 has 1,000 steps, its limit to a run; late is at 900 to 1,000",
};
const TUNED = { concurrency: 32, connections: 34 };
const PLAIN = { concurrency: 10 };

export const SYSTEMS: readonly System[] = [
  {
    name: "pawl",
    kind: "durable",
    sleeps: true,
    outputs: true,
    settings: [
      {
        name: "wrangler dev",
        options: { host: "wrangler dev" },
        says: "as `npm run dev` starts it",
        level: "default",
        idle: false,
      },
      {
        name: "Miniflare",
        options: { host: "miniflare" },
        says: "the same worker without wrangler; ticks once a minute in W5",
        level: "tuned",
        idle: true,
      },
    ],
  },
  {
    name: "openworkflow",
    package: "openworkflow",
    kind: "durable",
    sleeps: true,
    outputs: true,
    settings: [
      {
        name: "default",
        options: { ...PLAIN, connections: 10 },
        says: "its worker polls, 0.1 to 1 s apart while there is nothing to do",
        level: "default",
        idle: true,
        caps: STEP_LIMIT,
      },
      {
        name: "tuned",
        options: TUNED,
        says: "more runs at once and more connections; how it polls cannot be set",
        level: "tuned",
        idle: true,
        caps: STEP_LIMIT,
      },
    ],
  },
  {
    name: "dbos",
    package: "@dbos-inc/dbos-sdk",
    kind: "durable",
    sleeps: true,
    outputs: true,
    settings: [
      {
        name: "default",
        options: { connections: 10, queue: true },
        says: "runs go through a queue of its own in Postgres, polled every second, without a limit",
        level: "default",
        idle: true,
      },
      {
        name: "tuned",
        options: { connections: 34, queue: false },
        says: "runs begin at once in the process that starts them, without a queue",
        level: "tuned",
        idle: true,
      },
    ],
  },
  {
    name: "pg-boss",
    package: "pg-boss",
    kind: "queue",
    sleeps: false,
    outputs: false,
    settings: [
      {
        name: "default",
        options: { ...PLAIN, connections: 10, notify: false, batchSize: 1, pollSeconds: 2 },
        says: "each worker polls every 2 s for one job",
        level: "default",
        idle: true,
        caps: {
          runs: 20,
          without: ["W3", "W4", "trips"],
          why: "W2 has 20 runs; W3, W4 and the round trips are left out: a worker does one job per poll",
        },
      },
      {
        name: "tuned",
        options: { concurrency: 4, connections: 34, notify: true, batchSize: 100, pollSeconds: 0.5 },
        says: "woken by NOTIFY, jobs fetched and enqueued in batches, polls every 0.5 s",
        level: "tuned",
        idle: true,
      },
    ],
  },
  {
    name: "graphile-worker",
    package: "graphile-worker",
    kind: "queue",
    sleeps: false,
    outputs: false,
    settings: [
      {
        name: "default",
        options: { ...PLAIN, connections: 10, localQueue: 0 },
        says: "woken by NOTIFY, polls every 2 s",
        level: "default",
        idle: true,
      },
      {
        name: "tuned",
        options: { ...TUNED, localQueue: 500 },
        says: "jobs fetched into the process and completed in batches",
        level: "tuned",
        idle: true,
      },
    ],
  },
];

/** Of the package that is installed; undefined where none is. */
export function versionOf({ package: name }: System): string | undefined {
  const folder = name === undefined ? ".." : join("node_modules", name);
  try {
    return JSON.parse(readFileSync(join(import.meta.dirname, folder, "package.json"), "utf8")).version;
  } catch {
    return undefined;
  }
}
