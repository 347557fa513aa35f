import { Link, useSearchParams } from "wouter";
import { useBulks } from "../api/queries.ts";
import { VERB_WORDS } from "../parts/bulk-dialog.tsx";
import { BulkStatus } from "../parts/bulk-progress.tsx";
import { formatCount, formatNumber } from "../parts/count.ts";
import { Instant } from "../parts/instant.tsx";
import { Broken, Empty, Loading, Page } from "../parts/page.tsx";
import { Pager } from "../parts/pager.tsx";

export function BulksPage() {
  const [search] = useSearchParams();
  const { data, error } = useBulks(search.get("cursor") ?? undefined);
  return (
    <Page title="Bulk actions">
      {data === undefined &&
        (error === null ? <Loading /> : <Broken error={error} missing="There is no such list." />)}
      {data?.bulks.length === 0 && <Empty title="Nobody has acted on many runs at once yet" />}
      {data !== undefined && data.bulks.length > 0 && (
        <div className="panel overflow-x-auto">
          <table className="data">
            <caption className="visually-hidden">Bulk actions, the newest first</caption>
            <thead>
              <tr>
                <th>Status</th>
                <th>What</th>
                <th>When</th>
                <th className="num">Done</th>
                <th className="num">Skipped</th>
                <th className="num">Failed</th>
                <th>Note</th>
              </tr>
            </thead>
            <tbody>
              {data.bulks.map((bulk) => (
                <tr key={bulk.id} className="relative">
                  <td>
                    <BulkStatus status={bulk.status} />
                  </td>
                  <td>
                    <Link href={`/bulk/${bulk.id}`} className="link after:absolute after:inset-0">
                      {VERB_WORDS[bulk.verb]} {formatCount(bulk.matching)} runs
                    </Link>
                  </td>
                  <td>
                    <Instant at={bulk.createdAt} />
                  </td>
                  <td className="num">{formatNumber(bulk.done)}</td>
                  <td className="num">{formatNumber(bulk.skipped)}</td>
                  <td className="num">{formatNumber(bulk.failed)}</td>
                  <td className="max-w-96 truncated text-muted">{bulk.note}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
      {data !== undefined && <Pager nextCursor={data.nextCursor} />}
    </Page>
  );
}
