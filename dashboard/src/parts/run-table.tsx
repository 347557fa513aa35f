import { Link, useSearchParams } from "wouter";
import type { RunRow } from "../api/types.ts";
import { type Look, lookOf, RETRYING, SLEEPING } from "../models/status.ts";
import { stepCellOf } from "../models/step-cell.ts";
import { CopyButton } from "./copy-button.tsx";
import { Instant, Span } from "./instant.tsx";
import { shortId } from "./links.tsx";
import { StatusBadge } from "./status-badge.tsx";
import { useKeys } from "./use-keys.ts";

interface Props {
  readonly runs: readonly RunRow[];
  readonly caption: string;
  /** Ids; without it, rows cannot be selected. */
  readonly selected?: ReadonlySet<string>;
  readonly onSelect?: (ids: ReadonlySet<string>) => void;
}

export function RunTable({ runs, caption, selected, onSelect }: Props) {
  useRowKeys();
  const selectable = selected !== undefined && onSelect !== undefined;
  const all = selectable && runs.length > 0 && runs.every(({ id }) => selected.has(id));
  const toggle = (id: string) => {
    const next = new Set(selected);
    if (!next.delete(id)) next.add(id);
    onSelect?.(next);
  };
  return (
    <div className="panel overflow-x-auto">
      <table className="data">
        <caption className="visually-hidden">{caption}</caption>
        <thead>
          <tr>
            {selectable && (
              <th className="w-8">
                <label className="grid size-6 place-items-center">
                  <span className="visually-hidden">Select all on this page</span>
                  <input
                    type="checkbox"
                    className="size-4"
                    checked={all}
                    onChange={() => onSelect(new Set(all ? [] : runs.map(({ id }) => id)))}
                  />
                </label>
              </th>
            )}
            <th>Status</th>
            <th>Workflow</th>
            <th>Run</th>
            <th>Created</th>
            <th className="num">Took</th>
            <th>Step now or last</th>
            <th>Tags</th>
          </tr>
        </thead>
        <tbody>
          {runs.map((run) => (
            <Row
              key={run.id}
              run={run}
              selected={selectable ? selected.has(run.id) : undefined}
              onToggle={() => toggle(run.id)}
            />
          ))}
        </tbody>
      </table>
    </div>
  );
}

interface RowProps {
  readonly run: RunRow;
  readonly selected: boolean | undefined;
  readonly onToggle: () => void;
}

function Row({ run, selected, onToggle }: RowProps) {
  return (
    <tr data-row className={`relative ${selected ? "bg-hover" : ""}`}>
      {selected !== undefined && (
        <td>
          <label className="relative z-1 grid size-6 place-items-center">
            <span className="visually-hidden">Select run {run.id}</span>
            <input type="checkbox" className="size-4" checked={selected} onChange={onToggle} />
          </label>
        </td>
      )}
      <td>
        <StatusBadge status={run.status} look={lookOfRow(run)} />
      </td>
      <td className="max-w-56 truncated font-medium">
        {run.workflow}
        <span className="ml-1.5 text-xs font-normal text-muted">v{run.version}</span>
      </td>
      <td className="whitespace-nowrap">
        <Link
          href={`/runs/${run.id}`}
          title={run.id}
          className="link font-mono text-[0.8125rem] after:absolute after:inset-0"
        >
          {shortId(run.id)}
        </Link>
        <span className="relative z-1 ml-1">
          <CopyButton text={run.id} what="run id" />
        </span>
      </td>
      <td>
        <Instant at={run.createdAt} />
      </td>
      <td className="num">
        {run.startedAt === null ? <Dash /> : <Span from={run.startedAt} to={run.finishedAt} />}
      </td>
      <td className="max-w-md min-w-48">
        <Step run={run} />
      </td>
      <td>
        <Tags tags={run.tags} />
      </td>
    </tr>
  );
}

/** A run that waits for time alone sleeps, or rests before another attempt. */
function lookOfRow(run: RunRow): Look {
  const kind = run.status === "waiting" ? run.waitsFor?.kind : undefined;
  if (kind === "sleep") return SLEEPING;
  return kind === "retry" ? RETRYING : lookOf(run.status);
}

function Step({ run }: { readonly run: RunRow }) {
  const { step, detail, at, bad } = stepCellOf(run);
  if (step === null && detail === null) return <Dash />;
  return (
    <div className="truncated" title={[step, detail].filter(Boolean).join(" · ")}>
      {step}
      {detail !== null && (
        <span className={bad ? "text-bad" : "text-muted"}>{` ${step === null ? "" : "· "}${detail} `}</span>
      )}
      {at !== null && (
        <span className="text-muted">
          <Instant at={at} />
        </span>
      )}
    </div>
  );
}

/** Each is a list of the runs that have it. */
export function Tags({ tags }: { readonly tags: readonly string[] }) {
  const [search] = useSearchParams();
  return (
    <span className="flex gap-1 md:flex-wrap">
      {tags.map((tag) => (
        <Link
          key={tag}
          href={`/runs?${withTag(search, tag)}`}
          className="relative z-1 max-w-40 truncated rounded bg-off-soft px-1.5 text-xs leading-6 hover:bg-hover"
        >
          {tag}
        </Link>
      ))}
    </span>
  );
}

function withTag(search: URLSearchParams, tag: string): URLSearchParams {
  const workflow = search.get("workflow");
  const next = new URLSearchParams(workflow === null ? {} : { workflow });
  next.append("tag", tag);
  return next;
}

function Dash() {
  return <span className="text-muted">–</span>;
}

/** `j` and `k` go from row to row, `x` selects the one that has the focus. */
function useRowKeys(): void {
  const move = (by: number) => {
    const rows = [...document.querySelectorAll<HTMLElement>("[data-row]")];
    const at = rows.findIndex((row) => row.contains(document.activeElement));
    const next = rows[Math.min(rows.length - 1, Math.max(0, at + by))];
    next?.querySelector("a")?.focus();
  };
  useKeys({
    j: () => move(1),
    k: () => move(-1),
    x: () =>
      document.activeElement
        ?.closest("[data-row]")
        ?.querySelector<HTMLInputElement>("input[type=checkbox]")
        ?.click(),
  });
}
