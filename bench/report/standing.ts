/** Who is best at what: the figures of Pawl's hosts, of the peers and of the floor that ratios and targets are made of. */
import { type Column, type Figures, labelOf } from "../figures.ts";
import { FLOOR, floorMetric, STYLES } from "../floor.ts";
import { SYSTEMS, type System } from "../systems.ts";

export type Better = "higher" | "lower";

export const HOSTS: readonly Column[] = columnsOf(SYSTEMS.filter(({ name }) => name === "pawl"));
export const PEERS: readonly System[] = SYSTEMS.filter(({ name }) => name !== "pawl");
export const DURABLE_PEERS = PEERS.filter(({ kind }) => kind === "durable");

export interface Standing {
  readonly who: string;
  readonly value: number;
}

/** The best median of these systems over their settings; undefined where nothing was measured. */
export function best(
  figures: Figures,
  systems: readonly System[],
  metric: string,
  better: Better,
  level?: "default",
): Standing | undefined {
  const sign = better === "higher" ? -1 : 1;
  const standings = columnsOf(systems)
    .filter(({ setting }) => level === undefined || setting.level === level)
    .flatMap((column) => {
      const value = figures.median(labelOf(column), metric);
      return value === undefined ? [] : [{ who: labelOf(column), value }];
    });
  return standings.toSorted((a, b) => sign * (a.value - b.value))[0];
}

/** Of the floor with 32 clients and one statement to a step, the most that this Postgres gives. */
export function floorAt32(figures: Figures, metric: string): number | undefined {
  const [style = ""] = Object.keys(STYLES);
  return figures.median(FLOOR, `${floorMetric(style, 32)}: ${metric}`);
}

function columnsOf(systems: readonly System[]): Column[] {
  return systems.flatMap((system) => system.settings.map((setting) => ({ system, setting })));
}
