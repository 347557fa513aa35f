import type { Axis } from "../models/axis.ts";
import { coarse, formatSpan } from "../models/time.ts";
import type { Row, Span } from "../models/waterfall.ts";

const HEIGHT = 20;

/** The spans of one row. Positions are shares of the width, so nothing is measured. */
export function Bars({ row, axis }: { readonly row: Row; readonly axis: Axis }) {
  return (
    <svg aria-hidden="true" width="100%" height={HEIGHT} className="block overflow-visible">
      <Gaps axis={axis} height={HEIGHT} />
      {row.spans.map((span) => (
        <Bar key={`${span.kind} ${span.from}`} span={span} axis={axis} />
      ))}
    </svg>
  );
}

function Bar({ span, axis }: { readonly span: Span; readonly axis: Axis }) {
  const left = axis.left(span.from);
  const width = axis.left(span.to) - left;
  const slim = span.kind !== "executing";
  const state = `${span.failed ? "bar-failed" : ""} ${span.live ? "bar-live" : ""}`;
  return (
    <>
      <rect
        className={`bar bar-${span.kind} ${state}`}
        x={percent(left)}
        width={percent(width)}
        y={slim ? 7 : 4}
        height={slim ? 6 : 12}
        rx={2}
      />
      {/* What took next to no time still happened. */}
      {span.kind === "executing" && (
        <rect className={`bar bar-executing ${state}`} x={percent(left)} y={4} width={2} height={12} />
      )}
    </>
  );
}

function Gaps({ axis, height }: { readonly axis: Axis; readonly height: number }) {
  return axis.segments
    .filter(({ compressed }) => compressed)
    .map(({ from, left, right }) => (
      <rect
        key={from}
        className="bar-gap"
        x={percent(left)}
        width={percent(right - left)}
        y={-4}
        height={height + 8}
      />
    ));
}

/** Ticks as distances from the beginning, and how much each compressed gap leaves out. */
export function AxisHead({ axis }: { readonly axis: Axis }) {
  const start = axis.segments[0]?.from ?? 0;
  return (
    <svg aria-hidden="true" width="100%" height={18} className="block overflow-visible text-2xs">
      {axis.ticks().map(({ at, left }) => (
        <text
          key={at}
          x={percent(left)}
          y={13}
          fill="currentColor"
          textAnchor={left > 0.94 ? "end" : "start"}
        >
          {at === start ? "0" : formatSpan(at - start)}
        </text>
      ))}
      {axis.segments
        .filter(({ compressed }) => compressed)
        .map(({ from, to, left, right }) => (
          <text key={from} x={percent((left + right) / 2)} y={13} fill="currentColor" textAnchor="middle">
            ┆ {coarse(to - from)} ┆
          </text>
        ))}
    </svg>
  );
}

function percent(share: number): string {
  return `${(Math.max(0, share) * 100).toFixed(3)}%`;
}
