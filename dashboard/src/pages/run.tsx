import { Link, useSearchParams } from "wouter";
import { useJournal, useRun } from "../api/queries.ts";
import type { RunDetail } from "../api/types.ts";
import { isOver } from "../models/status.ts";
import { CopyButton } from "../parts/copy-button.tsx";
import { FailureBox } from "../parts/failure-box.tsx";
import { Broken, Loading, Page } from "../parts/page.tsx";
import { RunActions } from "./run/actions.tsx";
import { Facts } from "./run/facts.tsx";
import { JournalTab } from "./run/journal.tsx";
import { PayloadsTab } from "./run/payloads.tsx";
import { PersonAsked } from "./run/person-asked.tsx";
import { RawTab } from "./run/raw.tsx";
import { RelatedTab } from "./run/related.tsx";
import { TimelineTab } from "./run/timeline.tsx";

const TABS = {
  timeline: "Timeline",
  journal: "Journal",
  payloads: "Input and output",
  related: "Related",
  raw: "Raw",
} as const;
type Tab = keyof typeof TABS;

export function RunPage({ id }: { readonly id: string }) {
  const answer = useRun(id);
  const run = answer.data?.body;
  if (run === undefined || answer.data === undefined) {
    return (
      <Page title="Run" tabTitle={id}>
        {answer.error === null ? (
          <Loading />
        ) : (
          <Broken error={answer.error} missing={`There is no run ${id}. It may have been deleted.`} />
        )}
      </Page>
    );
  }
  return (
    <Page
      title={run.workflow}
      tabTitle={`${run.workflow} ${run.status}`}
      actions={<RunActions run={run} text={answer.data.text} />}
    >
      <Breadcrumbs run={run} />
      <Facts run={run} />
      {run.failure !== null && (
        <FailureBox failure={run.failure}>
          {run.failure.step !== undefined && (
            <Link
              href={`/runs/${run.id}?step=${encodeURIComponent(`step:${run.failure.step}`)}`}
              className="button"
            >
              Open step {run.failure.step}
            </Link>
          )}
        </FailureBox>
      )}
      <PersonAsked run={run} />
      <Tabs run={run} text={answer.data.text} />
    </Page>
  );
}

function Breadcrumbs({ run }: { readonly run: RunDetail }) {
  return (
    <nav aria-label="Where this is" className="-mt-3 flex flex-wrap items-center gap-1.5 text-muted">
      <Link href="/runs" className="link">
        Runs
      </Link>
      /
      <Link href={`/runs?workflow=${encodeURIComponent(run.workflow)}`} className="link">
        {run.workflow}
      </Link>
      / <span className="font-mono text-[0.8125rem] break-all text-ink">{run.id}</span>
      <CopyButton text={run.id} what="run id" />
    </nav>
  );
}

/** Another turn, another step done or another status: then there may be more in the journal. */
function versionOf(run: RunDetail): string {
  return [run.status, run.turn, run.stepsDone, run.lostTurns].join();
}

function Tabs({ run, text }: { readonly run: RunDetail; readonly text: string }) {
  const [search, setSearch] = useSearchParams();
  const named = search.get("tab");
  const tab: Tab = named !== null && named in TABS ? (named as Tab) : "timeline";
  const journal = useJournal(run.id, versionOf(run));
  const lines = journal.data?.lines;
  return (
    <>
      <nav aria-label="Parts of the run" className="-mb-4 flex overflow-x-auto border-b border-line">
        {Object.entries(TABS).map(([name, title]) => (
          <Link
            key={name}
            href={`/runs/${run.id}?${withTab(search, name)}`}
            aria-current={name === tab ? "page" : undefined}
            className="tab"
          >
            {title}
            {name === "journal" && lines !== undefined && (
              <span className="text-xs text-muted">{lines.length}</span>
            )}
          </Link>
        ))}
      </nav>
      <div className="pt-4">
        {journal.error !== null && lines === undefined && (
          <Broken error={journal.error} missing="There is no such journal." />
        )}
        {tab === "timeline" && lines !== undefined && (
          <TimelineTab
            run={run}
            text={text}
            lines={lines}
            whole={journal.data?.whole ?? true}
            search={search}
            setSearch={setSearch}
          />
        )}
        {tab === "journal" && lines !== undefined && (
          <JournalTab run={run} lines={lines} whole={journal.data?.whole ?? true} />
        )}
        {tab === "payloads" && <PayloadsTab run={run} text={text} live={!isOver(run.status)} />}
        {tab === "related" && <RelatedTab run={run} />}
        {tab === "raw" && <RawTab run={run} text={text} />}
      </div>
    </>
  );
}

function withTab(search: URLSearchParams, tab: string): URLSearchParams {
  const next = new URLSearchParams(search);
  next.set("tab", tab);
  next.delete("cursor");
  return next;
}
