import { useState } from "react";
import { Link, useSearchParams } from "wouter";
import { useGroups, useHistory } from "../api/queries.ts";
import { searchOf } from "../api/request.ts";
import type { BulkTarget, BulkVerb, Group } from "../api/types.ts";
import { apiQuery, EMPTY_FILTER, isEverything } from "../models/filters.ts";
import { ActionList } from "../parts/action-list.tsx";
import { BulkDialog } from "../parts/bulk-dialog.tsx";
import { useNow } from "../parts/clock.ts";
import { formatNumber } from "../parts/count.ts";
import { ExportLinks } from "../parts/export-links.tsx";
import { FilterBar } from "../parts/filter-bar.tsx";
import { Broken, Empty, Loading, Page } from "../parts/page.tsx";
import { useFilter } from "../parts/use-filter.ts";
import { GroupCard } from "./dead-letters/group-card.tsx";
import { GroupRuns } from "./dead-letters/group-runs.tsx";

export function DeadLettersPage() {
  const [filter, setFilter] = useFilter();
  const [search] = useSearchParams();
  const query = apiQuery(filter, useNow());
  const { fingerprint, ...groupQuery } = query;
  const groups = useGroups(groupQuery);
  const [bulk, setBulk] = useState<{ verb: BulkVerb; target: BulkTarget } | null>(null);
  const shown =
    groups.data?.groups.filter((group) => fingerprint === undefined || group.fingerprint === fingerprint) ??
    [];
  const act = (group: Group) => (verb: BulkVerb) =>
    setBulk({ verb, target: { deadLetters: { ...groupQuery, fingerprint: group.fingerprint } } });
  return (
    <Page
      title="Dead letters"
      actions={
        <>
          <Link href="/bulk" className="button">
            Bulk actions
          </Link>
          <ExportLinks path={`/api/dead-letters/export${searchOf(query)}`} />
        </>
      }
    >
      <FilterBar filter={filter} onChange={setFilter} />
      {groups.isPending && <Loading />}
      {groups.error !== null && groups.data === undefined && (
        <Broken error={groups.error} missing="There is no such list." />
      )}
      {groups.data !== undefined && groups.data.groups.length === 0 && (
        <None filtered={!isEverything(filter)} />
      )}
      {groups.data !== undefined && groups.data.groups.length > 0 && (
        <p role="status" className="text-muted">
          {summary(groups.data.groups)}
          {!groups.data.exact && " Only the newest 10,000 are grouped here."}
          {filter.fingerprint !== null && (
            <button
              type="button"
              className="link ml-3"
              onClick={() => setFilter({ ...filter, fingerprint: null })}
            >
              All groups
            </button>
          )}
        </p>
      )}
      <ul className="grid gap-3">
        {shown.map((group) => (
          <GroupCard
            key={group.fingerprint}
            group={group}
            open={filter.fingerprint === group.fingerprint}
            onOpen={(open) => setFilter({ ...filter, fingerprint: open ? group.fingerprint : null })}
            onBulk={act(group)}
          />
        ))}
      </ul>
      {filter.fingerprint !== null && (
        <GroupRuns key={search.toString()} query={query} cursor={search.get("cursor")} />
      )}
      {filter.fingerprint === null && <History />}
      {bulk !== null && <BulkDialog verb={bulk.verb} target={bulk.target} onClose={() => setBulk(null)} />}
    </Page>
  );
}

function summary(groups: readonly Group[]): string {
  const runs = groups.reduce((sum, { count }) => sum + count, 0);
  return `${formatNumber(runs)} open in ${formatNumber(groups.length)} ${groups.length === 1 ? "group" : "groups"}.`;
}

function None({ filtered }: { readonly filtered: boolean }) {
  const [, setFilter] = useFilter();
  if (!filtered) return <Empty title="No dead letters. Nothing needs a person." />;
  return (
    <Empty title="No dead letter matches">
      <button type="button" className="button" onClick={() => setFilter(EMPTY_FILTER)}>
        All dead letters
      </button>
    </Empty>
  );
}

function History() {
  const history = useHistory(null);
  if (history.data === undefined || history.data.actions.length === 0) return null;
  return (
    <section className="grid gap-2">
      <h2 className="font-semibold">What people did</h2>
      <ActionList actions={history.data.actions} showRun />
    </section>
  );
}
