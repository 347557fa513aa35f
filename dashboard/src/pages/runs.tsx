import { useState } from "react";
import { Link, useSearchParams } from "wouter";
import { useRunPage } from "../api/queries.ts";
import { searchOf } from "../api/request.ts";
import { useMayWrite } from "../api/session.tsx";
import { apiQuery, EMPTY_FILTER, isEverything, type RunFilter } from "../models/filters.ts";
import { useNow } from "../parts/clock.ts";
import { Counters } from "../parts/counters.tsx";
import { ExportLinks } from "../parts/export-links.tsx";
import { FilterBar } from "../parts/filter-bar.tsx";
import { FirstRun } from "../parts/first-run.tsx";
import { NewRuns, useHeldPage, useScrolled } from "../parts/new-runs.tsx";
import { Broken, Empty, Loading, Page } from "../parts/page.tsx";
import { Pager } from "../parts/pager.tsx";
import { RunTable } from "../parts/run-table.tsx";
import { SelectionBar } from "../parts/selection-bar.tsx";
import { useFilter } from "../parts/use-filter.ts";

const VERBS = ["cancel", "pause", "resume", "rerun"] as const;

export function RunsPage() {
  const [filter, setFilter] = useFilter();
  const [search] = useSearchParams();
  const query = apiQuery(filter, useNow());
  const cursor = search.get("cursor");
  const mayWrite = useMayWrite();
  const list = useRunPage("/api/runs", cursor === null ? query : { ...query, cursor });
  const none = list.data?.runs.length === 0 && cursor === null;
  return (
    <Page
      title="Runs"
      actions={
        <>
          <ExportLinks path={`/api/runs/export${searchOf(query)}`} />
          {mayWrite && (
            <Link href="/workflows" className="button button-main">
              Start run
            </Link>
          )}
        </>
      }
    >
      <Counters query={query} filter={filter} onChange={setFilter} />
      <FilterBar filter={filter} onChange={setFilter} />
      {list.error !== null && list.data === undefined && (
        <Broken error={list.error} missing="There is no such list." />
      )}
      {list.isPending && <Loading />}
      {none && (isEverything(filter) ? <FirstRun /> : <NoMatch filter={filter} onChange={setFilter} />)}
      {list.data !== undefined && !none && (
        <Found
          key={search.toString()}
          page={list.data}
          query={query}
          filtered={!isEverything(filter)}
          stale={list.isPlaceholderData}
        />
      )}
    </Page>
  );
}

interface FoundProps {
  readonly page: NonNullable<ReturnType<typeof useRunPage>["data"]>;
  readonly query: ReturnType<typeof apiQuery>;
  readonly filtered: boolean;
  readonly stale: boolean;
}

function Found({ page, query, filtered, stale }: FoundProps) {
  const [selected, setSelected] = useState<ReadonlySet<string>>(new Set());
  const scrolled = useScrolled();
  const { shown, newer, adopt } = useHeldPage(page, scrolled || selected.size > 0, stale);
  const ids = shown.runs.map(({ id }) => id).filter((id) => selected.has(id));
  return (
    <div className={stale ? "grid gap-3 opacity-60" : "grid gap-3"} aria-busy={stale}>
      <NewRuns newer={newer} onShow={adopt} />
      <RunTable
        runs={shown.runs}
        caption="Runs, the newest first"
        selected={selected}
        onSelect={setSelected}
      />
      <Pager nextCursor={shown.nextCursor} />
      <SelectionBar
        ids={ids}
        verbs={VERBS}
        everything={filtered && shown.nextCursor !== null ? { runs: query } : null}
        matching={undefined}
        onClear={() => setSelected(new Set())}
      />
    </div>
  );
}

interface NoMatchProps {
  readonly filter: RunFilter;
  readonly onChange: (filter: RunFilter) => void;
}

function NoMatch({ filter, onChange }: NoMatchProps) {
  return (
    <Empty title="No run matches">
      <div className="flex flex-wrap justify-center gap-2">
        {filter.statuses.length > 0 && (
          <button
            type="button"
            className="button"
            onClick={() => onChange({ ...filter, statuses: [], waitingFor: null })}
          >
            Any status
          </button>
        )}
        {filter.within !== null && filter.within !== "7d" && (
          <button type="button" className="button" onClick={() => onChange({ ...filter, within: "7d" })}>
            Widen to 7 days
          </button>
        )}
        <button type="button" className="button" onClick={() => onChange(EMPTY_FILTER)}>
          All runs
        </button>
      </div>
    </Empty>
  );
}
