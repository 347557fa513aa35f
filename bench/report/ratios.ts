/** Pawl's medians over each peer's best, in the same run. */
import { type Figures, labelOf } from "../figures.ts";
import { shown, table } from "./markdown.ts";
import { type Better, best, floorAt32, HOSTS, PEERS } from "./standing.ts";

const COMPARED: readonly (readonly [string, string, Better])[] = [
  ["W1 whole run", "W1 whole run, ms", "lower"],
  ["W2 throughput", "W2 steps/s", "higher"],
  ["W3 whole run", "W3 whole run, ms", "lower"],
  ["W4 ms per step, late", "W4 ms per step, late", "lower"],
  ["round trips per step, alone", "trips round trips per step, alone", "lower"],
  ["round trips per step, many", "trips round trips per step, many", "lower"],
  ["WAL bytes per step", "W2 WAL bytes per step, without full-page images", "lower"],
  ["wake, late by", "wake late by, ms", "lower"],
];

export function ratioTable(figures: Figures): string {
  const rows = HOSTS.flatMap((host) =>
    COMPARED.flatMap(([name, metric, better]) => {
      const own = figures.median(labelOf(host), metric);
      const ratios = PEERS.map((peer) => {
        const theirs = best(figures, [peer], metric, better)?.value;
        return shown(own === undefined || theirs === undefined ? undefined : own / theirs);
      });
      return own === undefined ? [] : [[`${name}, ${labelOf(host)}`, ...ratios]];
    }),
  );
  const floor = floorAt32(figures, "steps/s");
  const shares = HOSTS.flatMap((host) => {
    const own = figures.median(labelOf(host), "W2 steps/s");
    if (own === undefined || floor === undefined) return [];
    const share = shown((100 * own) / floor);
    return `W2 of ${labelOf(host)}: ${share} % of the floor with one statement per step and 32 clients.`;
  });
  return [table(["", ...PEERS.map(nameOf)], rows), ...shares].join("\n\n");
}

function nameOf({ name, kind }: (typeof PEERS)[number]): string {
  return kind === "queue" ? `${name} (queue)` : name;
}
