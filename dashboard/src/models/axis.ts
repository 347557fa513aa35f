/** The time axis of a waterfall: linear, but for long stretches in which nothing was executed. */
import type { Row } from "./waterfall.ts";

export interface Segment {
  readonly from: number;
  readonly to: number;
  /** Shares of the width, 0 to 1. */
  readonly left: number;
  readonly right: number;
  readonly compressed: boolean;
}

export interface Tick {
  readonly at: number;
  readonly left: number;
}

/** An idle stretch that takes more than this share of what is shown is compressed. */
const LONG = 0.2;
/** Shorter ones never are. */
const LONG_MS = 1_000;
const GAP_WIDTH = 0.1;
const ALL_GAPS_WIDTH = 0.4;
const TICKS = 6;
/** The label of a tick that stands nearer to a gap would meet the gap's own. */
const BESIDE_GAP = 0.07;
const STEPS = [
  1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000, 15_000, 30_000, 60_000, 120_000, 300_000,
].concat([
  600_000, 1_800_000, 3_600_000, 7_200_000, 21_600_000, 43_200_000, 86_400_000, 172_800_000, 604_800_000,
]);

export class Axis {
  readonly segments: readonly Segment[];

  constructor(segments: readonly Segment[]) {
    this.segments = segments;
  }

  /** Where an instant stands: a share of the width, 0 to 1. */
  left(at: number): number {
    const segment = this.segments.find(({ to }) => at <= to) ?? this.segments.at(-1);
    if (segment === undefined) return 0;
    const length = segment.to - segment.from;
    const share = length === 0 ? 0 : (at - segment.from) / length;
    return segment.left + Math.min(1, Math.max(0, share)) * (segment.right - segment.left);
  }

  /** At round distances from the start, in the stretches that are not compressed. */
  ticks(): Tick[] {
    const start = this.segments[0]?.from ?? 0;
    const open = this.segments.filter(({ compressed }) => !compressed);
    const shown = open.reduce((sum, { from, to }) => sum + to - from, 0);
    const step = STEPS.find((each) => shown / each <= TICKS) ?? Math.max(1, shown / TICKS);
    const ticks: Tick[] = [];
    for (const { from, to } of open) {
      for (let at = start + Math.ceil((from - start) / step) * step; at <= to; at += step) {
        ticks.push({ at, left: this.left(at) });
      }
    }
    const gaps = this.segments.filter(({ compressed }) => compressed);
    return ticks.filter(
      ({ left }) => !gaps.some((gap) => left > gap.left - BESIDE_GAP && left < gap.right + 0.01),
    );
  }
}

/** An axis on which all rows have a place. */
export function axisOf(rows: readonly Row[], compress: boolean): Axis {
  const start = Math.min(...rows.map((row) => row.from));
  const end = Math.max(start + 1, ...rows.map((row) => row.to));
  if (rows.length === 0) return new Axis([]);
  const gaps = compress ? longGaps(idleStretches(rows, start, end), end - start) : [];
  return new Axis(layOut(cut(start, end, gaps)));
}

interface Stretch {
  readonly from: number;
  readonly to: number;
}

/** Where nothing is queued or executed. */
function idleStretches(rows: readonly Row[], start: number, end: number): Stretch[] {
  const busy = rows
    .flatMap((row) => [...row.spans, ...row.items.flatMap((item) => item.spans)])
    .filter(({ kind, live }) => kind === "queued" || kind === "executing" || live)
    .map(({ kind, from, to }) => (kind === "waiting" ? { from: to, to } : { from, to }))
    .sort((a, b) => a.from - b.from);
  const idle: Stretch[] = [];
  let reached = start;
  for (const { from, to } of busy) {
    if (from > reached) idle.push({ from: reached, to: from });
    reached = Math.max(reached, to);
  }
  if (reached < end) idle.push({ from: reached, to: end });
  return idle;
}

function longGaps(idle: readonly Stretch[], total: number): Stretch[] {
  const gaps: Stretch[] = [];
  let shown = total;
  for (const gap of idle.toSorted((a, b) => length(b) - length(a))) {
    if (length(gap) < LONG_MS || length(gap) <= LONG * shown) break;
    gaps.push(gap);
    shown -= length(gap);
  }
  return gaps.sort((a, b) => a.from - b.from);
}

function cut(start: number, end: number, gaps: readonly Stretch[]): (Stretch & { compressed: boolean })[] {
  const pieces: (Stretch & { compressed: boolean })[] = [];
  let reached = start;
  for (const gap of gaps) {
    if (gap.from > reached) pieces.push({ from: reached, to: gap.from, compressed: false });
    pieces.push({ ...gap, compressed: true });
    reached = gap.to;
  }
  if (reached < end) pieces.push({ from: reached, to: end, compressed: false });
  return pieces;
}

function layOut(pieces: readonly (Stretch & { compressed: boolean })[]): Segment[] {
  const gaps = pieces.filter(({ compressed }) => compressed).length;
  const open = pieces.filter(({ compressed }) => !compressed).reduce((sum, piece) => sum + length(piece), 0);
  const gapWidth = open === 0 ? 1 / gaps : Math.min(GAP_WIDTH, ALL_GAPS_WIDTH / Math.max(1, gaps));
  const scale = open === 0 ? 0 : (1 - gaps * gapWidth) / open;
  let left = 0;
  return pieces.map((piece) => {
    const right = left + (piece.compressed ? gapWidth : length(piece) * scale);
    const segment = { ...piece, left, right };
    left = right;
    return segment;
  });
}

function length({ from, to }: Stretch): number {
  return to - from;
}
