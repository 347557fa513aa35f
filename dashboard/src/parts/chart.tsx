/** A chart with a title, a sentence that says what it shows, and its numbers as a table. Only Metrics loads this. */
import { useEffect, useRef, useState } from "react";
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import type { ChartData } from "../models/charts.ts";
import { formatInstant, formatTick, type Zone } from "../models/time.ts";
import { useNow, zoneSetting } from "./clock.ts";
import { themeSetting } from "./theme.ts";

const HEIGHT = 240;
/** Between the lines of an axis that counts. */
const WHOLE = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000, 20_000, 50_000];
const DASHES: readonly number[][] = [[], [6, 3], [2, 3]];

interface Props {
  readonly chart: ChartData;
  /** Somebody has drawn over a span of time; milliseconds since 1970. */
  readonly onSpan: (from: number, to: number) => void;
}

export function Chart({ chart, onSpan }: Props) {
  const [asTable, setAsTable] = useState(false);
  return (
    <section className="panel grid min-w-0 content-start gap-2 p-4">
      <header className="flex flex-wrap items-baseline gap-x-3">
        <h2 className="font-semibold">{chart.title}</h2>
        <span className="text-xs text-muted">{chart.unit}</span>
        <button
          type="button"
          className="link ml-auto min-h-6 text-xs"
          aria-pressed={asTable}
          onClick={() => setAsTable(!asTable)}
        >
          Show as {asTable ? "chart" : "table"}
        </button>
      </header>
      <p className="text-muted">{chart.summary}</p>
      {asTable ? <Table chart={chart} /> : <Plot chart={chart} onSpan={onSpan} />}
    </section>
  );
}

function Plot({ chart, onSpan }: Props) {
  const ref = useRef<HTMLDivElement>(null);
  const zone = zoneSetting.use();
  const theme = useScheme();
  // Data of the same shape is the same chart: it is not drawn anew every time that the page is.
  const key = JSON.stringify([chart.times, chart.series]);
  // biome-ignore lint/correctness/useExhaustiveDependencies: the key stands for the chart, the theme for its colours
  useEffect(() => {
    const element = ref.current;
    if (element === null) return;
    const plot = new uPlot(optionsOf(chart, element, zone, onSpan), dataOf(chart), element);
    const resized = new ResizeObserver(() => plot.setSize({ width: element.clientWidth, height: HEIGHT }));
    resized.observe(element);
    return () => {
      resized.disconnect();
      plot.destroy();
    };
  }, [key, zone, theme]);
  return (
    <>
      <div ref={ref} aria-hidden="true" className="min-w-0" />
      <ul aria-label="Lines" className="flex flex-wrap gap-x-4 text-xs">
        {chart.series.map(({ name, tone }, i) => (
          <li key={name} className={`tone-${tone} flex items-center gap-1.5`}>
            <svg aria-hidden="true" width="22" height="6" className="toned">
              <path
                d="M0 3h22"
                stroke="currentColor"
                strokeWidth="2"
                strokeDasharray={DASHES[i]?.join(" ")}
              />
            </svg>
            {name}
          </li>
        ))}
      </ul>
    </>
  );
}

function dataOf({ times, series }: ChartData): uPlot.AlignedData {
  return [times.map((at) => at / 1_000), ...series.map(({ values }) => [...values])];
}

function optionsOf(
  chart: ChartData,
  element: HTMLElement,
  zone: Zone,
  onSpan: Props["onSpan"],
): uPlot.Options {
  const ink = colourOf(element, "--color-muted");
  const grid = { stroke: colourOf(element, "--color-line"), width: 1 };
  const axis = { stroke: ink, grid, ticks: grid, font: "11px system-ui" };
  return {
    width: element.clientWidth,
    height: HEIGHT,
    legend: { show: false },
    cursor: { drag: { x: true, y: false, setScale: false } },
    hooks: {
      setSelect: [
        ({ select: { left, width }, posToVal }) =>
          width > 0 && onSpan(posToVal(left, "x") * 1_000, posToVal(left + width, "x") * 1_000),
      ],
    },
    scales: { y: { range: (_plot, _low, high) => [0, Math.max(1, high * 1.05)] } },
    ...(zone === "utc" ? { tzDate: (at: number) => uPlot.tzDate(new Date(at * 1_000), "UTC") } : {}),
    axes: [
      { ...axis, values: (_plot, values) => values.map((at) => formatTick(at * 1_000, zone)) },
      {
        ...axis,
        size: 64,
        ...(chart.whole && { incrs: WHOLE }),
        values: (_plot, values) => values.map((value) => chart.format(value)),
      },
    ],
    series: [
      {},
      ...chart.series.map(({ tone }, i) => ({
        stroke: colourOf(element, `--color-${tone}`),
        width: 2,
        dash: DASHES[i] ?? [],
        points: { show: true, size: 4 },
      })),
    ],
  };
}

/** A canvas does not know the page's variables: the browser says what one comes to. */
function colourOf(element: HTMLElement, variable: string): string {
  const probe = document.createElement("span");
  probe.style.color = `var(${variable})`;
  element.append(probe);
  const { color } = getComputedStyle(probe);
  probe.remove();
  return color;
}

/** Changes whenever the colours do. */
function useScheme(): string {
  const theme = themeSetting.use();
  const [dark, setDark] = useState(() => matchMedia("(prefers-color-scheme: dark)").matches);
  useEffect(() => {
    const media = matchMedia("(prefers-color-scheme: dark)");
    const onChange = () => setDark(media.matches);
    media.addEventListener("change", onChange);
    return () => media.removeEventListener("change", onChange);
  }, []);
  return `${theme} ${dark}`;
}

function Table({ chart }: { readonly chart: ChartData }) {
  const zone = zoneSetting.use();
  const now = useNow();
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reached by keys
    <section className="max-h-80 overflow-auto" aria-label={`${chart.title} as a table`} tabIndex={0}>
      <table className="data">
        <thead>
          <tr>
            <th>From</th>
            {chart.series.map(({ name }) => (
              <th key={name} className="num">
                {name}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {chart.times.map((at, i) => (
            <tr key={at}>
              <td className="whitespace-nowrap">{formatInstant(at, zone, now)}</td>
              {chart.series.map(({ name, values }) => {
                const value = values[i] ?? null;
                return (
                  <td key={name} className="num">
                    {value === null ? "–" : chart.format(value)}
                  </td>
                );
              })}
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}
