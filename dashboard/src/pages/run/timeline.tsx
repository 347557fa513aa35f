import { useMemo, useState } from "react";
import type { Line, RunDetail } from "../../api/types.ts";
import { isOver } from "../../models/status.ts";
import { isInstant, isProblem, type Row, rowsOf } from "../../models/waterfall.ts";
import { useNow } from "../../parts/clock.ts";
import { useKeys } from "../../parts/use-keys.ts";
import { Waterfall } from "../../parts/waterfall.tsx";
import { StepPanel } from "./step-panel.tsx";

interface Props {
  readonly run: RunDetail;
  /** The run as it was sent. */
  readonly text: string;
  readonly lines: readonly Line[];
  readonly whole: boolean;
  readonly search: URLSearchParams;
  readonly setSearch: (change: (search: URLSearchParams) => URLSearchParams) => void;
}

export function TimelineTab({ run, text: sent, lines, whole, search, setSearch }: Props) {
  const clock = useNow();
  // What is over does not change with the time.
  const now = isOver(run.status) ? 0 : clock;
  const rows = useMemo(() => rowsOf(lines, run, now), [lines, run, now]);
  const [text, setText] = useState("");
  const [view, setView] = useState({ problems: false, instants: true, compress: true });
  const [expanded, setExpanded] = useState<ReadonlySet<string>>(new Set());
  useKeys({
    e: () => setExpanded(new Set(rows.filter(({ items }) => items.length > 0).map(({ id }) => id))),
    w: () => setExpanded(new Set()),
  });
  const shown = rows.filter(
    (row) => matches(row, text) && (!view.problems || isProblem(row)) && (view.instants || !isInstant(row)),
  );
  const selectedId = search.get("step");
  const selected = rows.flatMap((row) => [row, ...row.items]).find(({ id }) => id === selectedId);
  const select = (id: string | null) =>
    setSearch((before) => {
      const next = new URLSearchParams(before);
      if (id === null) next.delete("step");
      else next.set("step", id);
      return next;
    });
  if (rows.length === 0) return <p className="panel px-4 py-6 text-muted">Nothing has happened yet.</p>;
  return (
    <div
      className={`grid items-start gap-4 ${selected === undefined ? "" : "xl:grid-cols-[minmax(0,1fr)_auto]"}`}
    >
      <div className="panel min-w-0">
        <div className="flex flex-wrap items-center gap-x-5 gap-y-2 border-b border-line px-3 py-2">
          <input
            type="search"
            aria-label="Filter steps by name"
            className="field w-44 text-[0.8125rem]"
            placeholder="Filter steps"
            value={text}
            onChange={(event) => setText(event.target.value)}
          />
          <Toggle
            label="Only problems"
            on={view.problems}
            onChange={(problems) => setView({ ...view, problems })}
          />
          <Toggle
            label="Values and effects"
            on={view.instants}
            onChange={(instants) => setView({ ...view, instants })}
          />
          <Toggle
            label="Compress gaps"
            on={view.compress}
            onChange={(compress) => setView({ ...view, compress })}
          />
          <Legend />
        </div>
        <Waterfall
          rows={shown}
          compress={view.compress}
          expanded={expanded}
          onExpand={setExpanded}
          selected={selected?.id ?? null}
          onSelect={(row) => select(row.id === selectedId ? null : row.id)}
        />
        {!whole && (
          <p className="border-t border-line p-3 text-muted">This journal is long: its beginning is shown.</p>
        )}
      </div>
      {selected !== undefined && (
        <StepPanel run={run} text={sent} row={selected} onClose={() => select(null)} />
      )}
    </div>
  );
}

function matches(row: Row, text: string): boolean {
  const wanted = text.trim().toLowerCase();
  return row.name.toLowerCase().includes(wanted) || row.items.some((item) => matches(item, text));
}

interface ToggleProps {
  readonly label: string;
  readonly on: boolean;
  readonly onChange: (on: boolean) => void;
}

function Toggle({ label, on, onChange }: ToggleProps) {
  return (
    <label className="flex min-h-6 items-center gap-1.5">
      <input type="checkbox" className="size-4" checked={on} onChange={() => onChange(!on)} />
      {label}
    </label>
  );
}

function Legend() {
  return (
    <ul aria-label="What the bars mean" className="ml-auto flex flex-wrap gap-x-4 text-xs text-muted">
      {(["queued", "executing", "waiting", "backoff"] as const).map((kind) => (
        <li key={kind} className="flex items-center gap-1.5">
          <svg aria-hidden="true" width="16" height="10">
            <rect className={`bar bar-${kind}`} y="1" width="16" height="8" rx="2" />
          </svg>
          {kind === "backoff" ? "before a retry" : kind}
        </li>
      ))}
    </ul>
  );
}
