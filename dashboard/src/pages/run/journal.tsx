import { useState } from "react";
import type { Line, RunDetail } from "../../api/types.ts";
import { formatBytes } from "../../models/bytes.ts";
import { formatSpan } from "../../models/time.ts";
import { Instant } from "../../parts/instant.tsx";
import { RunLink } from "../../parts/links.tsx";
import { OutcomeWord } from "../../parts/outcome.tsx";
import { LineDetail } from "./line-detail.tsx";

const SHOWN = 200;

interface Props {
  readonly run: RunDetail;
  readonly lines: readonly Line[];
  readonly whole: boolean;
}

/** The journal as it is stored, in its order. */
export function JournalTab({ run, lines, whole }: Props) {
  const [shown, setShown] = useState(SHOWN);
  const [open, setOpen] = useState<number | null>(null);
  if (lines.length === 0) return <p className="panel px-4 py-6 text-muted">Nothing has happened yet.</p>;
  return (
    <div className="panel overflow-x-auto">
      <table className="data">
        <caption className="visually-hidden">The journal, the oldest entry first</caption>
        <thead>
          <tr>
            <th className="num">#</th>
            <th>Kind</th>
            <th>Key</th>
            <th>Outcome</th>
            <th className="num">Attempt</th>
            <th>Recorded</th>
            <th className="num">Took</th>
            <th className="num">Turn</th>
            <th className="num">Output</th>
          </tr>
        </thead>
        <tbody>
          {lines.slice(0, shown).map((line) => (
            <Entry
              key={line.seq}
              run={run}
              line={line}
              open={open === line.seq}
              onToggle={() => setOpen(open === line.seq ? null : line.seq)}
            />
          ))}
        </tbody>
      </table>
      {shown < lines.length && (
        <button type="button" className="button m-3" onClick={() => setShown(shown + SHOWN * 5)}>
          Show {Math.min(SHOWN * 5, lines.length - shown)} more of {lines.length}
        </button>
      )}
      {!whole && shown >= lines.length && (
        <p className="p-3 text-muted">The rest of this long journal is in the API.</p>
      )}
    </div>
  );
}

interface EntryProps {
  readonly run: RunDetail;
  readonly line: Line;
  readonly open: boolean;
  readonly onToggle: () => void;
}

function Entry({ run, line, open, onToggle }: EntryProps) {
  const took = Date.parse(line.recordedAt) - Date.parse(line.startedAt);
  return (
    <>
      <tr>
        <td className="num text-muted">{line.seq}</td>
        <td>{line.kind}</td>
        <td className="max-w-80">
          <button
            type="button"
            className="link truncated inline-block max-w-full min-h-6 text-left align-middle"
            aria-expanded={open}
            onClick={onToggle}
          >
            {line.key ?? "the run"}
          </button>
          {line.childId !== null && (
            <span className="ml-2">
              <RunLink id={line.childId} />
            </span>
          )}
        </td>
        <td>
          <OutcomeWord outcome={line.outcome} />
        </td>
        <td className="num">{line.attempt}</td>
        <td>
          <Instant at={line.recordedAt} as="exact" />
        </td>
        <td className="num whitespace-nowrap">{formatSpan(took)}</td>
        <td className="num">{line.turn}</td>
        <td className="num whitespace-nowrap">
          {line.outputBytes === null ? "–" : formatBytes(line.outputBytes)}
        </td>
      </tr>
      {open && (
        <tr>
          <td colSpan={9} className="bg-sunken">
            <LineDetail runId={run.id} seq={line.seq} />
          </td>
        </tr>
      )}
    </>
  );
}
