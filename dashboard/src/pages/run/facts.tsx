import type { ReactNode } from "react";
import type { RunDetail } from "../../api/types.ts";
import { isOver, type Look, lookOf, SLEEPING } from "../../models/status.ts";
import { Instant, Span } from "../../parts/instant.tsx";
import { RunLink } from "../../parts/links.tsx";
import { Tags } from "../../parts/run-table.tsx";
import { StatusBadge } from "../../parts/status-badge.tsx";

/** The head of a run: what it is, how far it came and when. */
export function Facts({ run }: { readonly run: RunDetail }) {
  const dueAt = run.status === "waiting" || run.status === "ready" ? run.wakeAt : null;
  return (
    <dl className="panel flex flex-wrap gap-x-8 gap-y-3 px-4 py-3">
      <Fact name="Status">
        <StatusBadge status={run.status} look={lookOfRun(run)} />
        {run.phase === "compensating" && <span className="badge tone-hold ml-1">Undoing</span>}
        {run.discardedAt !== null && <span className="badge tone-off ml-1">Discarded</span>}
      </Fact>
      <Fact name="Created">
        <Instant at={run.createdAt} as="exact" />
      </Fact>
      {run.startedAt !== null && (
        <Fact name={isOver(run.status) ? "Took" : "For"}>
          <Span from={run.startedAt} to={run.finishedAt} />
        </Fact>
      )}
      {dueAt !== null && (
        <Fact name="Due">
          <Instant at={dueAt} />
        </Fact>
      )}
      {run.deadlineAt !== null && !isOver(run.status) && (
        <Fact name="Deadline">
          <Instant at={run.deadlineAt} />
        </Fact>
      )}
      <Fact name="Steps done">{run.stepsDone}</Fact>
      <Fact name="Turn">{run.turn}</Fact>
      {run.lostTurns > 0 && <Fact name="Lost turns">{run.lostTurns}</Fact>}
      <Fact name="Version">
        {run.version}
        {run.deployment !== null && (
          <span className="ml-1 text-xs text-muted">{run.deployment.slice(0, 8)}</span>
        )}
      </Fact>
      {run.failedCompensations > 0 && <Fact name="Not undone">{run.failedCompensations}</Fact>}
      {run.parentId !== null && (
        <Fact name="Parent">
          <RunLink id={run.parentId} />
        </Fact>
      )}
      {run.forkedFrom !== null && (
        <Fact name="Made from">
          <RunLink id={run.forkedFrom} />
        </Fact>
      )}
      {run.continuedFrom !== null && (
        <Fact name="Continues">
          <RunLink id={run.continuedFrom} />
        </Fact>
      )}
      {run.continuedTo !== null && (
        <Fact name="Continued as">
          <RunLink id={run.continuedTo} />
        </Fact>
      )}
      {run.idempotencyKey !== null && (
        <Fact name="Idempotency key">
          <span className="break-all">{run.idempotencyKey}</span>
        </Fact>
      )}
      {run.tags.length > 0 && (
        <Fact name="Tags">
          <Tags tags={run.tags} />
        </Fact>
      )}
    </dl>
  );
}

/** What waits for nothing but time, sleeps. */
function lookOfRun({ status, sleeps, waits, branches }: RunDetail): Look {
  const asleep = status === "waiting" && sleeps.length > 0 && waits.length + branches.length === 0;
  return asleep ? SLEEPING : lookOf(status);
}

function Fact({ name, children }: { readonly name: string; readonly children: ReactNode }) {
  return (
    <div className="min-w-0">
      <dt className="text-xs text-muted">{name}</dt>
      <dd>{children}</dd>
    </div>
  );
}
