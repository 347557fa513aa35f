import { Link } from "wouter";
import { abortBulk, useAction } from "../api/actions.ts";
import { useBulk } from "../api/queries.ts";
import { useMayWrite } from "../api/session.tsx";
import type { Bulk } from "../api/types.ts";
import { VERB_WORDS } from "../parts/bulk-dialog.tsx";
import { BulkProgress, BulkStatus } from "../parts/bulk-progress.tsx";
import { formatCount, formatNumber } from "../parts/count.ts";
import { ErrorText } from "../parts/dialog.tsx";
import { Instant, Span } from "../parts/instant.tsx";
import { RunLink } from "../parts/links.tsx";
import { Broken, Loading, Page } from "../parts/page.tsx";

export function BulkPage({ id }: { readonly id: string }) {
  const { data: bulk, error } = useBulk(id);
  if (bulk === undefined) {
    return (
      <Page title="Bulk action">
        {error === null ? <Loading /> : <Broken error={error} missing={`There is no bulk action ${id}.`} />}
      </Page>
    );
  }
  return (
    <Page
      title={`${VERB_WORDS[bulk.verb]} ${formatCount(bulk.matching)} runs`}
      actions={<Abort bulk={bulk} />}
    >
      <nav aria-label="Where this is" className="-mt-3 text-muted">
        <Link href="/bulk" className="link">
          Bulk actions
        </Link>{" "}
        / <span className="font-mono text-[0.8125rem] break-all text-ink">{bulk.id}</span>
      </nav>
      <section className="panel grid gap-3 p-4">
        <div className="flex flex-wrap items-center gap-3">
          <BulkStatus status={bulk.status} />
          <p role="status">
            {formatNumber(bulk.seen)} of {formatCount(bulk.matching)} seen
          </p>
          <p className="ml-auto text-muted">
            <Instant at={bulk.createdAt} as="exact" /> · <Span from={bulk.createdAt} to={bulk.finishedAt} /> ·
            at most {bulk.rate} a second
          </p>
        </div>
        <BulkProgress bulk={bulk} />
        <dl className="grid grid-cols-3 gap-3">
          <Tally name="Done" value={bulk.done} />
          <Tally name="Skipped: their status had changed" value={bulk.skipped} />
          <Tally name="Failed" value={bulk.failed} />
        </dl>
        {bulk.note !== null && <q className="break-words text-muted">{bulk.note}</q>}
      </section>
      {bulk.filter !== null && <Filter bulk={bulk} filter={bulk.filter} />}
      {bulk.failures.length > 0 && (
        <section className="grid gap-2">
          <h2 className="font-semibold">The first that failed</h2>
          <ul className="panel divide-y divide-line">
            {bulk.failures.map(({ runId, message }) => (
              <li key={runId} className="flex flex-wrap gap-x-3 px-4 py-2">
                <RunLink id={runId} /> <span className="break-words">{message}</span>
              </li>
            ))}
          </ul>
        </section>
      )}
    </Page>
  );
}

function Tally({ name, value }: { readonly name: string; readonly value: number }) {
  return (
    <div>
      <dt className="text-xs text-muted">{name}</dt>
      <dd className="text-lg font-semibold">{formatNumber(value)}</dd>
    </div>
  );
}

function Filter({ bulk, filter }: { readonly bulk: Bulk; readonly filter: NonNullable<Bulk["filter"]> }) {
  const parts = Object.entries(filter).map(
    ([name, value]) => `${name}: ${typeof value === "string" ? value : value.join(", ")}`,
  );
  return (
    <p className="text-muted">
      Of all {bulk.of === "runs" ? "runs" : "dead letters"}
      {parts.length > 0 && ` with ${parts.join("; ")}`}.
    </p>
  );
}

function Abort({ bulk }: { readonly bulk: Bulk }) {
  const mayWrite = useMayWrite();
  const abort = useAction(() => abortBulk(bulk.id));
  if (bulk.status !== "running" || !mayWrite) return null;
  return (
    <>
      <button
        type="button"
        className="button button-bad"
        disabled={abort.isPending}
        onClick={() => abort.mutate()}
      >
        Abort
      </button>
      {abort.error !== null && <ErrorText error={abort.error} />}
    </>
  );
}
