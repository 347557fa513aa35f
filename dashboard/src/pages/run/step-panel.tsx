import { useState } from "react";
import { useMayWrite } from "../../api/session.tsx";
import type { Line, RunDetail } from "../../api/types.ts";
import { formatSpan } from "../../models/time.ts";
import { queuedMs, type Row, workedMs } from "../../models/waterfall.ts";
import { CopyButton } from "../../parts/copy-button.tsx";
import { Instant } from "../../parts/instant.tsx";
import { RunLink } from "../../parts/links.tsx";
import { OutcomeWord } from "../../parts/outcome.tsx";
import { LineDetail } from "./line-detail.tsx";
import { RerunDialog } from "./rerun-dialog.tsx";

interface Props {
  readonly run: RunDetail;
  /** The run as it was sent. */
  readonly text: string;
  readonly row: Row;
  readonly onClose: () => void;
}

/** One step: its attempts, what it gave, and a new run from here. */
export function StepPanel({ run, text, row, onClose }: Props) {
  const last = row.lines.at(-1);
  return (
    <section aria-label={`Step ${row.name}`} className="panel grid min-w-0 gap-4 p-4 xl:w-[30rem]">
      <header className="flex items-start gap-2">
        <div className="min-w-0 flex-1">
          <h2 className="font-semibold break-words">{row.name}</h2>
          <p className="flex flex-wrap items-center gap-x-3 text-muted">
            <OutcomeWord outcome={row.state} />
            <span>{row.kind}</span>
            {row.branch && <span>beside its run's turn</span>}
          </p>
        </div>
        <CopyButton text={location.href} what="link to this step" />
        <button type="button" className="button button-quiet" aria-label="Close this step" onClick={onClose}>
          ×
        </button>
      </header>
      <Timing row={row} />
      {row.childId !== null && (
        <p>
          Child run <RunLink id={row.childId} copy />
        </p>
      )}
      {last !== undefined && row.key !== null && <FromHere run={run} text={text} step={row.key} />}
      {row.items.length > 0 && (
        <p className="text-muted">{row.items.length} items: expand the row to look at one.</p>
      )}
      {last !== undefined && <Attempts runId={run.id} lines={row.lines} />}
    </section>
  );
}

function Timing({ row }: { readonly row: Row }) {
  const queued = queuedMs(row);
  return (
    <dl className="grid grid-cols-[auto_1fr] gap-x-4 gap-y-0.5">
      <dt className="text-muted">Began</dt>
      <dd>
        <Instant at={new Date(row.from).toISOString()} as="exact" />
      </dd>
      <dt className="text-muted">Queued</dt>
      <dd>{formatSpan(queued)}</dd>
      <dt className="text-muted">
        {row.spans.some(({ kind }) => kind === "executing") ? "Executed" : "Waited"}
      </dt>
      <dd>{formatSpan(workedMs(row))}</dd>
    </dl>
  );
}

interface FromHereProps {
  readonly run: RunDetail;
  readonly text: string;
  readonly step: string;
}

function FromHere({ run, text, step }: FromHereProps) {
  const [open, setOpen] = useState(false);
  const mayWrite = useMayWrite();
  if (!mayWrite) return null;
  return (
    <div className="flex flex-wrap gap-2">
      <button type="button" className="button" onClick={() => setOpen(true)}>
        Rerun from here
      </button>
      {open && <RerunDialog run={run} text={text} from={step} onClose={() => setOpen(false)} />}
    </div>
  );
}

/** The attempts, the last one first and open. */
function Attempts({ runId, lines }: { readonly runId: string; readonly lines: readonly Line[] }) {
  const [seq, setSeq] = useState<number | null>(null);
  const shown = lines.find((line) => line.seq === seq) ?? lines.at(-1);
  if (shown === undefined) return null;
  return (
    <div className="grid min-w-0 gap-3">
      {lines.length > 1 && (
        <div className="flex flex-wrap gap-1">
          {lines.map((line) => (
            <button
              key={line.seq}
              type="button"
              className="button"
              aria-pressed={line.seq === shown.seq}
              onClick={() => setSeq(line.seq)}
            >
              {line.outcome === "revived" ? "Revived" : `Attempt ${line.attempt}`}
              <OutcomeWord outcome={line.outcome} />
            </button>
          ))}
        </div>
      )}
      <LineDetail runId={runId} seq={shown.seq} />
    </div>
  );
}
