/** What Pawl has set itself, and whether these figures keep it. */
import { type Column, type Figures, labelOf } from "../figures.ts";
import { shown, table } from "./markdown.ts";
import { type Better, best, DURABLE_PEERS, floorAt32, HOSTS } from "./standing.ts";

interface Target {
  readonly says: string;
  /** Other hosts than these are not meant. */
  readonly host?: string;
  /** What is measured, and what it must be at least or at most; undefined where something was not measured. */
  readonly own: (figures: Figures, host: string) => number | undefined;
  readonly bound: (figures: Figures) => Bound | undefined;
  readonly better: Better;
}

interface Bound {
  readonly value: number;
  readonly from?: string;
}

const bestPeer =
  (metric: string, better: Better, factor = 1, level?: "default") =>
  (figures: Figures): Bound | undefined => {
    const peer = best(figures, DURABLE_PEERS, metric, better, level);
    return peer && { value: factor * peer.value, from: peer.who };
  };

const floor =
  (metric: string, factor: number) =>
  (figures: Figures): Bound | undefined => {
    const value = floorAt32(figures, metric);
    return value === undefined ? undefined : { value: factor * value, from: "the floor" };
  };

const median = (metric: string) => (figures: Figures, host: string) => figures.median(host, metric);
const fixed = (value: number) => () => ({ value });

const WAL = "W2 WAL bytes per step, without full-page images";

const TARGETS: readonly Target[] = [
  {
    says: "W2: at least 2 × the best durable peer, steps/s",
    host: "Miniflare",
    own: median("W2 steps/s"),
    bound: bestPeer("W2 steps/s", "higher", 2),
    better: "higher",
  },
  {
    says: "W2: at least 1.2 × the best durable peer, steps/s",
    host: "wrangler dev",
    own: median("W2 steps/s"),
    bound: bestPeer("W2 steps/s", "higher", 1.2),
    better: "higher",
  },
  {
    says: "W2, aim: 40 % of the floor with one statement per step and 32 clients, steps/s",
    host: "Miniflare",
    own: median("W2 steps/s"),
    bound: floor("steps/s", 0.4),
    better: "higher",
  },
  {
    says: "W1: whole run below every durable peer's default, ms",
    own: median("W1 whole run, ms"),
    bound: bestPeer("W1 whole run, ms", "lower", 1, "default"),
    better: "lower",
  },
  {
    says: "W3: at most the best durable peer's, ms",
    own: median("W3 whole run, ms"),
    bound: bestPeer("W3 whole run, ms", "lower"),
    better: "lower",
  },
  {
    says: "W4: late over early at most 1.1",
    own: median("W4 late over early"),
    bound: fixed(1.1),
    better: "lower",
  },
  {
    says: "round trips per step, alone, at most 2",
    own: median("trips round trips per step, alone"),
    bound: fixed(2),
    better: "lower",
  },
  {
    says: "round trips per step, many, at most 0.2",
    own: median("trips round trips per step, many"),
    bound: fixed(0.2),
    better: "lower",
  },
  {
    says: "WAL per step at most 1.5 × the floor's with one statement per step and 32 clients, without full-page images, bytes",
    own: median(WAL),
    bound: floor("WAL bytes per step", 1.5),
    better: "lower",
  },
  {
    says: "wake after a durable sleep at most 50 ms late",
    own: median("wake late by, ms"),
    bound: fixed(50),
    better: "lower",
  },
];

export function targetTable(figures: Figures): string {
  const rows = TARGETS.flatMap((target) =>
    HOSTS.filter(({ setting }) => target.host === undefined || target.host === setting.name).flatMap((host) =>
      targetRows(figures, target, host),
    ),
  );
  return table(["target", "host", "measured", "bound", ""], rows);
}

/** None where nothing was measured. */
function targetRows(figures: Figures, { says, own, bound, better }: Target, host: Column): string[][] {
  const [measured, limit] = [own(figures, labelOf(host)), bound(figures)];
  if (measured === undefined) return [];
  const from = limit?.from === undefined ? "" : ` (${limit.from})`;
  const verdict = limit === undefined ? "–" : verdictOf(measured, limit.value, better);
  return [[says, host.setting.name, shown(measured), `${shown(limit?.value)}${from}`, verdict]];
}

function verdictOf(measured: number, bound: number, better: Better): string {
  const met = better === "higher" ? measured >= bound : measured <= bound;
  if (met) return "met";
  return `missed by ${shown((100 * Math.abs(measured - bound)) / bound)} %`;
}
