/** W1 to W4, W6 and the wake after a sleep: what is done, what is measured of it, and that all of it was really done. */
import { setTimeout as sleep } from "node:timers/promises";
import { type Column, median, type Note } from "./figures.ts";
import type { Launched } from "./launch.ts";
import type { Meter } from "./measure/meter.ts";
import type { Outcome } from "./system.ts";
import type { Work } from "./work.ts";

export interface Workload {
  readonly name: string;
  readonly says: string;
  readonly metrics: readonly string[];
  /** Whether the system can do it at all; every one can unless it is said. */
  fits?(column: Column): boolean;
  measure(bench: Bench): Promise<void>;
}

export interface Bench {
  readonly column: Column;
  readonly bed: Launched;
  /** Of W4's run, where the system has no limit. */
  readonly longSteps: number;
  readonly meter: Meter;
  readonly note: Note;
}

const W1_STEPS = 20;
const W2 = { runs: 1_000, steps: 5 };
const NAP_MS = 2_000;
const NAPS = 10;
/** So that hardly two sleeps end together. */
const BETWEEN_NAPS_MS = 200;
const PAYLOADS = [
  ["ms per step, null", 0],
  ["ms per step, 100 KB", 100_000],
  ["ms per step, 900 KB", 900_000],
] as const;

export const W2_METRICS = [
  "steps/s",
  "WAL bytes per step, without full-page images",
  "full-page images, bytes per step",
  "CPU ms per step, Postgres",
  "CPU ms per step, the rest",
] as const;

/** What `counted.ts` counts, by its name among the workloads. */
export const TRIPS = "trips";

export const WORKLOADS: readonly Workload[] = [
  {
    name: "W1",
    says: `One run of ${W1_STEPS} no-op steps, alone, from its start to its completion; up to 7 in a round.`,
    metrics: ["whole run, ms", "ms per step"],
    measure: ({ bed, note }) =>
      repeated(7, async () => {
        const { ms } = await done(bed, { runs: 1, steps: W1_STEPS });
        note("whole run, ms", ms);
        note("ms per step", ms / W1_STEPS);
      }),
  },
  {
    name: "W2",
    says: `${W2.runs} runs of ${W2.steps} no-op steps, all started up front, from the first start to the last completion.`,
    metrics: W2_METRICS,
    async measure({ bed, column, meter, note }) {
      const work = { ...W2, runs: column.setting.caps?.runs ?? W2.runs };
      const steps = work.runs * work.steps;
      const stop = await meter(bed.pid);
      const { ms } = await done(bed, work);
      const { wal, cpu } = await stop();
      note("steps/s", (steps * 1_000) / ms);
      if (wal !== undefined) {
        note("WAL bytes per step, without full-page images", wal.records / steps);
        note("full-page images, bytes per step", wal.images / steps);
      }
      if (cpu !== undefined) {
        note("CPU ms per step, Postgres", cpu.postgresMs / steps);
        note("CPU ms per step, the rest", cpu.systemMs / steps);
      }
    },
  },
  {
    name: "W3",
    says: "One run with 200 no-op steps side by side, from its start to its completion; up to 3 in a round.",
    metrics: ["whole run, ms"],
    measure: ({ bed, note }) =>
      repeated(3, async () =>
        note("whole run, ms", (await done(bed, { runs: 1, steps: 200, parallel: true })).ms),
      ),
  },
  {
    name: "W4",
    says: "One long run of no-op steps, one after the other: the median from step to step, at steps 10 to 110 and over the last 100.",
    metrics: ["ms per step, early", "ms per step, late", "late over early"],
    async measure({ bed, column, longSteps, note }) {
      const steps = Math.min(longSteps, column.setting.caps?.longSteps ?? longSteps);
      const { marks } = await done(bed, { runs: 1, steps });
      const gaps = marks.slice(1).map((mark, i) => mark - (marks[i] ?? mark));
      const [early, late] = [median(gaps.slice(9, 109)), median(gaps.slice(-100))];
      note("ms per step, early", early);
      note("ms per step, late", late);
      note("late over early", late / early);
    },
  },
  {
    name: "W6",
    says: "One run of 10 steps that give a text of so many bytes, which no compression makes smaller; up to 2 of each in a round.",
    metrics: PAYLOADS.map(([metric]) => metric),
    fits: ({ system }) => system.outputs,
    async measure({ bed, note }) {
      for (const [metric, bytes] of PAYLOADS)
        await repeated(2, async () => note(metric, (await done(bed, { runs: 1, steps: 10, bytes })).ms / 10));
    },
  },
  {
    name: "wake",
    says: `${NAPS} runs, started ${BETWEEN_NAPS_MS} ms apart, of a step, a durable sleep of ${NAP_MS / 1_000} s and a step: from body to body, less the sleep, so that what is committed between them is in it. DBOS keeps a sleeping run in its process, with a timer; Pawl and openworkflow keep nothing meanwhile.`,
    metrics: ["late by, ms"],
    fits: ({ system }) => system.sleeps,
    async measure({ bed, note }) {
      const naps = await Promise.all(
        Array.from({ length: NAPS }, async (_, i) => {
          await sleep(i * BETWEEN_NAPS_MS);
          const { marks } = await done(bed, { runs: 1, steps: 2, napMs: NAP_MS });
          const [before = Number.NaN, after = Number.NaN] = marks;
          return after - before - NAP_MS;
        }),
      );
      for (const late of naps) note("late by, ms", late);
    },
  },
];

/** Whether a column does a workload at all. */
export function fits({ name, fits }: Pick<Workload, "name" | "fits">, column: Column): boolean {
  return fits?.(column) !== false && column.setting.caps?.without?.includes(name) !== true;
}

/** What comes before all that is measured, to every system alike. */
export function warmUp({ setting }: Column): Work {
  return { runs: Math.min(200, (setting.caps?.runs ?? 1_000) / 5), steps: 5 };
}

/** The outcome of work of which every step was done, and none more often than once. */
export async function done(bed: Launched, work: Work): Promise<Outcome> {
  const outcome = await bed.run(work);
  const expected = work.runs * work.steps;
  if (outcome.steps !== expected) throw new Error(`${outcome.steps} steps were done, not ${expected}`);
  return outcome;
}

/** So often, or as often as ten seconds allow, and once at least. */
async function repeated(times: number, measure: () => Promise<void>): Promise<void> {
  const until = Date.now() + 10_000;
  for (let i = 0; i < times && (i === 0 || Date.now() < until); i++) await measure();
}
