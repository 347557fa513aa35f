/** The text of RESULTS.md. No figure in it is typed by hand. */
import { TRIP_METRICS } from "../counted.ts";
import { type Column, type Figures, labelOf } from "../figures.ts";
import { CLIENTS, FLOOR, floorMetric, STYLES } from "../floor.ts";
import { IDLE_METRICS } from "../idle-minutes.ts";
import type { Asked } from "../options.ts";
import { fits, TRIPS, WORKLOADS } from "../workloads.ts";
import { machineTable } from "./machine.ts";
import { spreadShown, table } from "./markdown.ts";
import { ratioTable } from "./ratios.ts";
import { targetTable } from "./targets.ts";

interface Part {
  readonly name: string;
  readonly title: string;
  readonly says: string;
  readonly metrics: readonly string[];
  readonly fits?: (column: Column) => boolean;
}

export interface Told {
  readonly asked: Asked;
  readonly figures: Figures;
  readonly postgresVersion: string;
  readonly minutesTaken: number;
}

export function results({ asked, figures, postgresVersion, minutesTaken }: Told): string {
  const parts = partsOf(asked).filter(({ name }) => asked.workloads.includes(name));
  return `${[
    `# Results

Written by \`npm run bench:peers\`; what the workloads are and how to run a part of them: [README.md](README.md).
Medians with the lowest and the highest value, over ${asked.rounds === 1 ? "one round" : `${asked.rounds} rounds`}. In every round each system is measured in turn, in a
process and a database of its own, with nothing beside it. Absolute figures belong to this machine and this hour: only
ratios carry over. It took ${minutesTaken} minutes.`,
    `## The machine and the versions\n\n${machineTable(postgresVersion)}`,
    `## How each is configured\n\n${settingsTable(asked.columns)}

Options in code: \`bench/systems.ts\` and \`bench/systems/\`. Connections are those of the system's own pool. A queue has no
runs and keeps no results: one job is one step, and each enqueues the next. It is what a queue alone costs, a floor, not a
durable workflow. Pawl's processes are the worker's host and the gateway that stands for Neon's proxy.`,
    `## Targets\n\n${targetTable(figures)}`,
    `## Ratios\n\nPawl's median over each peer's at its better setting. Of throughput more is better, of all else less.\n\n${ratioTable(figures)}`,
    `## Postgres' floor\n\nOne update of a run and one insert into its journal, in one commit, from one Node.js process, in every round.\n\n${floorTable(figures)}`,
    ...parts.map((part) => `## ${part.title}\n\n${part.says}\n\n${partTable(part, asked.columns, figures)}`),
  ].join("\n\n")}\n`;
}

function partsOf({ steps, minutes }: Asked): Part[] {
  return [
    ...WORKLOADS.map((workload) => ({
      ...workload,
      says:
        workload.name === "W4"
          ? `${workload.says} It has ${steps.toLocaleString("en")} steps unless its row says otherwise.`
          : workload.says,
      title: workload.name === "wake" ? "Wake after a durable sleep" : workload.name,
    })),
    {
      name: "W5",
      title: "W5",
      says: `Statements in each system's database while nothing is live, counted by \`pg_stat_statements\` over ${minutes === 1 ? "one real minute" : `${minutes} real minutes`}, all systems side by side, after five minutes of the same; a day is 1,440 times a minute, so what happens less often than that is not in it. Pawl's cron ticks once a minute, as in production, and leaves the database alone by then. \`npm run bench:idle\` counts a simulated day, with its hourly safety sweep.`,
      metrics: IDLE_METRICS,
      fits: ({ setting }) => setting.idle,
    },
    {
      name: TRIPS,
      title: "Round trips and statements",
      says: "Counted once, apart from the rounds: round trips by a proxy on the way from the system to Postgres (for Pawl, from the worker to the gateway), statements by `pg_stat_statements`, with `begin` and `commit`. Alone is a run of 120 steps, less one of 20, over the difference; many are 500 runs of 5 steps, with their starts and ends. What a system asks while it waits is in it.",
      metrics: TRIP_METRICS,
    },
  ];
}

function settingsTable(columns: readonly Column[]): string {
  const rows = columns.map(({ system, setting }) => [
    labelOf({ system, setting }),
    system.kind,
    Object.entries(setting.options)
      .map(([name, value]) => `\`${name}\` ${value}`)
      .join(", "),
    [setting.says, setting.caps?.why].filter((text) => text !== undefined).join(". "),
  ]);
  return table(["", "kind", "options", ""], rows);
}

function floorTable(figures: Figures): string {
  const metrics = ["steps/s", "WAL bytes per step", "full-page images, bytes per step"];
  const rows = Object.keys(STYLES).flatMap((style) =>
    CLIENTS.map((clients) => [
      style,
      String(clients),
      ...metrics.map((metric) =>
        spreadShown(figures.spread(FLOOR, `${floorMetric(style, clients)}: ${metric}`)),
      ),
    ]),
  );
  return table(["a step is", "clients", ...metrics], rows);
}

function partTable(part: Part, columns: readonly Column[], figures: Figures): string {
  const { name, metrics } = part;
  const rows = columns
    .filter((column) => fits(part, column))
    .map((column) => {
      const label = labelOf(column);
      const cells = metrics.map((metric) => spreadShown(figures.spread(label, `${name} ${metric}`)));
      const failures = figures.failures(label, name).map((reason) => `**failed**: ${reason}`);
      const marks = [column.system.kind === "queue" ? "queue" : "", capMark(name, column)].filter(Boolean);
      return [[label, ...marks].join("; "), ...cells, failures.join("; ")];
    });
  return table(["", ...metrics, ""], rows);
}

/** Beside the figures of a workload that was smaller than the others'. */
function capMark(name: string, { setting }: Column): string {
  if (name === "W2" && setting.caps?.runs !== undefined) return `${setting.caps.runs} runs`;
  if (name === "W4" && setting.caps?.longSteps !== undefined) return `${setting.caps.longSteps} steps`;
  return "";
}
