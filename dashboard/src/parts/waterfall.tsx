/** The rows of a run over time, as a tree-grid: the numbers are its text, the bars are decoration. */
import { type KeyboardEvent, useMemo, useState } from "react";
import { type Axis, axisOf } from "../models/axis.ts";
import { formatSpan } from "../models/time.ts";
import { queuedMs, type Row, workedMs } from "../models/waterfall.ts";
import { OutcomeWord } from "./outcome.tsx";
import { AxisHead, Bars } from "./waterfall-bars.tsx";
import "./waterfall.css";

/** More are shown when asked for. */
const SHOWN = 300;

interface Props {
  readonly rows: readonly Row[];
  readonly compress: boolean;
  readonly expanded: ReadonlySet<string>;
  readonly onExpand: (ids: ReadonlySet<string>) => void;
  readonly selected: string | null;
  readonly onSelect: (row: Row) => void;
}

interface Placed {
  readonly row: Row;
  readonly level: number;
  readonly position: number;
  readonly siblings: number;
}

export function Waterfall({ rows, compress, expanded, onExpand, selected, onSelect }: Props) {
  const [limit, setLimit] = useState(SHOWN);
  const [focused, setFocused] = useState<string | null>(null);
  const axis = useMemo(() => axisOf(rows, compress), [rows, compress]);
  const placed = useMemo(() => place(rows, expanded), [rows, expanded]);
  const shown = placed.slice(0, limit);
  const stop =
    focused !== null && shown.some(({ row }) => row.id === focused)
      ? focused
      : (selected ?? shown[0]?.row.id);
  const toggle = (row: Row, open: boolean) => {
    const next = new Set(expanded);
    if (open) next.add(row.id);
    else next.delete(row.id);
    onExpand(next);
  };
  const onKeyDown = (event: KeyboardEvent<HTMLTableRowElement>, { row }: Placed) => {
    const act = {
      ArrowDown: () => move(event.currentTarget, "nextElementSibling"),
      ArrowUp: () => move(event.currentTarget, "previousElementSibling"),
      ArrowRight: () => row.items.length > 0 && toggle(row, true),
      ArrowLeft: () => row.items.length > 0 && toggle(row, false),
      Enter: () => onSelect(row),
      " ": () => onSelect(row),
    }[event.key];
    if (act === undefined || event.target !== event.currentTarget) return;
    event.preventDefault();
    act();
  };
  return (
    <div className="overflow-x-auto">
      {/* biome-ignore lint/a11y/noNoninteractiveElementToInteractiveRole: a table whose rows open and take the focus */}
      <table className="waterfall" role="treegrid" aria-label="Steps over time">
        <thead>
          <tr>
            <th scope="col">Step</th>
            <th scope="col">State</th>
            <th scope="col" className="num">
              Took
            </th>
            <th scope="col" className="w-full">
              <span className="visually-hidden">Time</span>
              <AxisHead axis={axis} />
            </th>
          </tr>
        </thead>
        <tbody>
          {shown.map((each) => (
            <tr
              key={each.row.id}
              aria-level={each.level}
              aria-posinset={each.position}
              aria-setsize={each.siblings}
              aria-expanded={each.row.items.length > 0 ? expanded.has(each.row.id) : undefined}
              aria-selected={each.row.id === selected}
              tabIndex={each.row.id === stop ? 0 : -1}
              onFocus={() => setFocused(each.row.id)}
              onClick={() => onSelect(each.row)}
              onKeyDown={(event) => onKeyDown(event, each)}
            >
              <Cells
                placed={each}
                axis={axis}
                open={expanded.has(each.row.id)}
                onToggle={(open) => toggle(each.row, open)}
              />
            </tr>
          ))}
        </tbody>
      </table>
      {limit < placed.length && (
        <button type="button" className="button m-3" onClick={() => setLimit(limit + SHOWN * 2)}>
          Show more of {placed.length} rows
        </button>
      )}
    </div>
  );
}

interface CellsProps {
  readonly placed: Placed;
  readonly axis: Axis;
  readonly open: boolean;
  readonly onToggle: (open: boolean) => void;
}

function Cells({ placed: { row, level }, axis, open, onToggle }: CellsProps) {
  const queued = queuedMs(row);
  return (
    <>
      <th scope="row" className={level > 1 ? "pl-8" : ""}>
        <span className="flex items-center gap-1.5">
          {row.items.length > 0 && (
            <button
              type="button"
              tabIndex={-1}
              aria-label={open ? "Collapse" : "Expand"}
              className="inline-grid size-6 place-items-center rounded hover:bg-line"
              onClick={(event) => {
                event.stopPropagation();
                onToggle(!open);
              }}
            >
              <span aria-hidden="true" className={open ? "rotate-90" : ""}>
                ▸
              </span>
            </button>
          )}
          <span className="truncated max-w-60" title={row.name}>
            {row.name}
          </span>
          {row.items.length > 0 && <span className="text-xs text-muted">× {row.items.length}</span>}
          {row.kind !== "step" && row.kind !== "turn" && (
            <span className="text-xs text-muted">{row.kind}</span>
          )}
        </span>
      </th>
      <td>
        <OutcomeWord outcome={row.state} />
        {row.attempts > 1 && <span className="ml-1.5 text-xs text-muted">{row.attempts} attempts</span>}
      </td>
      <td className="num whitespace-nowrap">
        {formatSpan(workedMs(row))}
        {queued >= 1 && <span className="visually-hidden">, queued for {formatSpan(queued)}</span>}
      </td>
      <td>
        <Bars row={row} axis={axis} />
      </td>
    </>
  );
}

function place(rows: readonly Row[], expanded: ReadonlySet<string>): Placed[] {
  return rows.flatMap((row, i) => {
    const items = expanded.has(row.id) ? row.items : [];
    return [
      { row, level: 1, position: i + 1, siblings: rows.length },
      ...items.map((item, j) => ({ row: item, level: 2, position: j + 1, siblings: items.length })),
    ];
  });
}

function move(from: Element, to: "nextElementSibling" | "previousElementSibling"): void {
  (from[to] as HTMLElement | null)?.focus();
}
