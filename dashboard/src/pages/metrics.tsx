import { useLocation, useSearchParams } from "wouter";
import { useMetrics, useWorkflows } from "../api/queries.ts";
import type { Metrics } from "../api/types.ts";
import { latencyChart, runsChart } from "../models/charts.ts";
import { runsBetween, writeFilter } from "../models/filters.ts";
import { formatSpan } from "../models/time.ts";
import { Chart } from "../parts/chart.tsx";
import { formatCount, formatNumber } from "../parts/count.ts";
import { Broken, Loading, Page } from "../parts/page.tsx";
import { RangeSelect } from "../parts/range-select.tsx";
import { Wide } from "../parts/wide.tsx";

const RANGES = ["1h", "6h", "24h", "7d"] as const;

export function MetricsPage() {
  const [search, setSearch] = useSearchParams();
  const range = RANGES.find((each) => each === search.get("range")) ?? "24h";
  const workflow = search.get("workflow") ?? "";
  const { data, error } = useMetrics({ range, workflow: workflow === "" ? undefined : workflow });
  const names = new Set(useWorkflows().data?.workflows.map(({ name }) => name));
  if (workflow !== "") names.add(workflow);
  const choose = (name: string) =>
    setSearch((before) => {
      const next = new URLSearchParams(before);
      if (name === "") next.delete("workflow");
      else next.set("workflow", name);
      return next;
    });
  return (
    <Page
      title="Metrics"
      actions={
        <>
          <select
            aria-label="Workflow"
            className="field max-w-56"
            value={workflow}
            onChange={(event) => choose(event.target.value)}
          >
            <option value="">All workflows</option>
            {[...names].sort().map((name) => (
              <option key={name}>{name}</option>
            ))}
          </select>
          <RangeSelect ranges={RANGES} value={range} />
        </>
      }
    >
      {data === undefined &&
        (error === null ? <Loading /> : <Broken error={error} missing="There are no such metrics." />)}
      {data !== undefined && <Figures metrics={data} workflow={workflow} />}
    </Page>
  );
}

interface FiguresProps {
  readonly metrics: Metrics;
  readonly workflow: string;
}

function Figures({ metrics, workflow }: FiguresProps) {
  const [, navigate] = useLocation();
  const listRuns = (from: number, to: number) =>
    navigate(`/runs?${writeFilter({ ...runsBetween(from, to), workflow: workflow || null })}`);
  return (
    <>
      {!metrics.exact && <p className="text-muted">Of the newest 50,000 runs of this time.</p>}
      <Backlog backlog={metrics.backlog} />
      <div className="grid gap-4 xl:grid-cols-2">
        <Chart chart={runsChart(metrics)} onSpan={listRuns} />
        <Chart chart={latencyChart(metrics)} onSpan={listRuns} />
      </div>
      <p className="text-muted">Draw over a part of a chart to list the runs that were created then.</p>
      <Steps steps={metrics.steps} />
    </>
  );
}

function Backlog({ backlog }: { readonly backlog: Metrics["backlog"] }) {
  const figures = [
    ["Ready", formatCount(backlog.ready)],
    ["Running", formatCount(backlog.running)],
    ["Sleeping", formatCount(backlog.sleeping)],
    ["Waiting", formatCount(backlog.waiting)],
    ["Oldest due for", formatSpan(backlog.oldestDueMs)],
  ];
  return (
    <dl aria-label="Backlog now" className="panel flex flex-wrap gap-x-10 gap-y-3 px-4 py-3">
      {figures.map(([name, value]) => (
        <div key={name}>
          <dt className="text-xs text-muted">{name}</dt>
          <dd className="text-lg font-semibold">{value}</dd>
        </div>
      ))}
    </dl>
  );
}

function Steps({ steps }: { readonly steps: Metrics["steps"] }) {
  return (
    <section className="grid gap-2">
      <h2 className="font-semibold">Steps, the most retried first</h2>
      {steps.length === 0 && <p className="text-muted">No step ended in this time.</p>}
      {steps.length > 0 && (
        <Wide label="Steps">
          <table className="data">
            <caption className="visually-hidden">Retries and latency by step</caption>
            <thead>
              <tr>
                <th>Step</th>
                <th>Workflow</th>
                <th className="num">Attempts</th>
                <th className="num">Retried</th>
                <th className="num">Failed</th>
                <th className="num">p50</th>
                <th className="num">p95</th>
                <th className="num">p99</th>
              </tr>
            </thead>
            <tbody>
              {steps.map((step) => (
                <tr key={`${step.workflow} ${step.step}`}>
                  <td className="max-w-72 truncated font-medium">{step.step}</td>
                  <td className="max-w-56 truncated text-muted">{step.workflow}</td>
                  <td className="num">{formatNumber(step.attempts)}</td>
                  <td className="num">{(step.retryRate * 100).toFixed(1)} %</td>
                  <td className="num">{formatNumber(step.failures)}</td>
                  <td className="num">{formatSpan(step.p50Ms)}</td>
                  <td className="num">{formatSpan(step.p95Ms)}</td>
                  <td className="num">{formatSpan(step.p99Ms)}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </Wide>
      )}
    </section>
  );
}
