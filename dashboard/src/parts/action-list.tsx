import { Link } from "wouter";
import type { Action } from "../api/types.ts";
import { Instant } from "./instant.tsx";
import { RunLink } from "./links.tsx";

const WORDS: Readonly<Record<string, string>> = {
  cancel: "cancelled it",
  pause: "paused it",
  resume: "resumed it",
  revive: "revived it",
  discard: "discarded it",
  rerun: "made a new run of it",
  fork: "made a new run of it",
  note: "noted",
  signal: "sent a signal",
  resolve: "said what came of a step",
};

/** What people did, the newest first. */
export function ActionList({
  actions,
  showRun = false,
}: {
  readonly actions: readonly Action[];
  readonly showRun?: boolean;
}) {
  if (actions.length === 0) return <p className="text-muted">Nothing yet.</p>;
  return (
    <ol className="panel divide-y divide-line">
      {actions.map((action) => (
        <li key={action.id} className="flex flex-wrap items-baseline gap-x-2 gap-y-0.5 px-4 py-2">
          <span className="w-24 text-muted">
            <Instant at={action.at} />
          </span>
          {showRun && <RunLink id={action.runId} />}
          <span>
            {action.by} {WORDS[action.verb] ?? action.verb}
          </span>
          {action.newRunId !== null && <RunLink id={action.newRunId} />}
          {action.bulkId !== null && (
            <Link href={`/bulk/${action.bulkId}`} className="link">
              with many others
            </Link>
          )}
          {action.note !== null && <q className="break-words text-muted">{action.note}</q>}
        </li>
      ))}
    </ol>
  );
}
