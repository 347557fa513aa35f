/** A plot of two panels as SVG: lines with their names at their ends, readable on light and dark pages. */
import { BATCHES, CORES, QUEUES, ROUND_TRIPS, type Study } from "./study.ts";

interface Point {
  readonly x: number;
  readonly y: number;
}

interface Line {
  readonly name: string;
  readonly points: readonly Point[];
  /** Drawn dashed: what is allowed, and not what was reached. */
  readonly isBound?: boolean;
}

interface Panel {
  readonly title: string;
  readonly xLabel: string;
  readonly xTicks: readonly number[];
  readonly lines: readonly Line[];
}

const [WIDTH, HEIGHT] = [940, 420];
/** Of one panel's axes. */
const [INNER_WIDTH, INNER_HEIGHT] = [285, 280];
const TOP = 76;
const LEFTS = [72, 535];
const Y_TICKS = [0, 10_000, 20_000, 30_000, 40_000];
const Y_MOST = 42_000;
const QUEUE_LIMIT = 5_000;
/** Between the names of two lines. */
const LABEL_GAP = 16;

const STYLE = `
  text { font: 13px system-ui, -apple-system, "Segoe UI", sans-serif; fill: #3d4451; }
  .page { fill: #ffffff; } .grid { stroke: #e4e7ec; } .title { font-weight: 600; font-size: 14px; fill: #14181f; }
  .line { fill: none; stroke-width: 2.25; stroke-linejoin: round; } .bound { stroke: #8a93a3; stroke-dasharray: 4 4; stroke-width: 1.5; }
  .c0 { stroke: #0b6bcb; } .c1 { stroke: #b4470e; } .c2 { stroke: #157347; } .c3 { stroke: #7c3aad; }
  .t0 { fill: #0b6bcb; } .t1 { fill: #b4470e; } .t2 { fill: #157347; } .t3 { fill: #7c3aad; } .tb { fill: #667085; }
  @media (prefers-color-scheme: dark) {
    text { fill: #b8c0cc; } .page { fill: #0f1319; } .grid { stroke: #2a313c; } .title { fill: #f2f4f7; } .bound { stroke: #7b8594; }
    .c0 { stroke: #6cb2ff; } .c1 { stroke: #ff9b66; } .c2 { stroke: #5fd39a; } .c3 { stroke: #c99bff; }
    .t0 { fill: #6cb2ff; } .t1 { fill: #ff9b66; } .t2 { fill: #5fd39a; } .t3 { fill: #c99bff; } .tb { fill: #98a2b3; }
  }`;

export function plot(study: Study): string {
  const byQueues: Panel = {
    title: "Steps/s by queues, for 2 to 16 cores of Postgres",
    xLabel: "queues (10 ms round trip, batches of up to 30)",
    xTicks: QUEUES,
    lines: [
      ...CORES.map((cores, i) => ({
        name: `${cores} cores`,
        points: QUEUES.map((x, j) => ({ x, y: study.byQueues[i]?.[j]?.stepsPerSecond ?? 0 })),
      })),
      {
        name: "5,000 a queue",
        points: QUEUES.map((x) => ({ x, y: x * QUEUE_LIMIT })),
        isBound: true,
      },
    ],
  };
  const byRoundTrip: Panel = {
    title: "Steps/s by round trip, for batches of 1 to 30",
    xLabel: "round trip to the database, ms (4 queues, 16 cores)",
    xTicks: ROUND_TRIPS,
    lines: BATCHES.map((size, i) => ({
      name: `batches of ${size}`,
      points: ROUND_TRIPS.map((x, j) => ({ x, y: study.byRoundTrip[i]?.[j]?.stepsPerSecond ?? 0 })),
    })),
  };
  const panels = [byQueues, byRoundTrip].map((panel, i) => draw(panel, LEFTS[i] ?? 0));
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" width="${WIDTH}" height="${HEIGHT}" role="img">`,
    "<title>Simulated steps per second, by queues and by round trip</title>",
    `<style>${STYLE}\n</style>`,
    `<rect class="page" width="${WIDTH}" height="${HEIGHT}"/>`,
    ...panels,
    "</svg>\n",
  ].join("\n");
}

function draw({ title, xLabel, xTicks, lines }: Panel, left: number): string {
  const most = Math.max(...xTicks);
  const toX = (x: number) => left + (x / most) * INNER_WIDTH;
  const toY = (y: number) => TOP + INNER_HEIGHT * (1 - y / Y_MOST);
  const bottom = toY(0);
  const grid = Y_TICKS.map(
    (y) =>
      `<line class="grid" x1="${left}" x2="${left + INNER_WIDTH}" y1="${round(toY(y))}" y2="${round(toY(y))}"/>` +
      text(left - 8, toY(y) + 4, y.toLocaleString("en"), "end"),
  );
  const ticks = xTicks.map((x) => text(toX(x), bottom + 20, String(x), "middle"));
  const places = spaced(lines.map(({ points }) => toY(points.at(-1)?.y ?? 0)));
  const drawn = lines.map(({ name, points, isBound }, i) => {
    const path = points.map(({ x, y }) => `${round(toX(x))},${round(toY(y))}`).join(" ");
    const [stroke, fill] = isBound ? ["bound", "tb"] : [`c${i}`, `t${i}`];
    const label = text(left + INNER_WIDTH + 8, (places[i] ?? 0) + 4, name, "start", fill);
    return `<polyline class="line ${stroke}" points="${path}"/>${label}`;
  });
  return [
    text(left - 48, TOP - 36, title, "start", "title"),
    text(left - 48, TOP - 16, "steps per second", "start"),
    ...grid,
    ...ticks,
    text(left + INNER_WIDTH / 2, bottom + 44, xLabel, "middle"),
    ...drawn,
  ].join("\n");
}

/** Moves names apart that would lie on each other, the lowest first. */
function spaced(heights: readonly number[]): number[] {
  const places = [...heights];
  const fromBelow = heights.map((_, i) => i).sort((a, b) => (heights[b] ?? 0) - (heights[a] ?? 0));
  let above = Number.POSITIVE_INFINITY;
  for (const i of fromBelow) {
    above = Math.min(places[i] ?? 0, above - LABEL_GAP);
    places[i] = above;
  }
  return places;
}

function text(x: number, y: number, words: string, anchor: "start" | "middle" | "end", kind = ""): string {
  return `<text class="${kind}" x="${round(x)}" y="${round(y)}" text-anchor="${anchor}">${words}</text>`;
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}
