import { Link, useSearchParams } from "wouter";
import { useWorkflowStats, useWorkflows } from "../api/queries.ts";
import { useMayWrite } from "../api/session.tsx";
import type { Workflow, WorkflowStats } from "../api/types.ts";
import { formatSpan } from "../models/time.ts";
import { formatNumber } from "../parts/count.ts";
import { JsonView } from "../parts/json-view.tsx";
import { Broken, Empty, Loading, Page } from "../parts/page.tsx";
import { RangeSelect } from "../parts/range-select.tsx";

type Stats = WorkflowStats["workflows"][number];

const RANGES = ["1h", "24h", "7d"] as const;

export function WorkflowsPage() {
  const [search] = useSearchParams();
  const range = RANGES.find((each) => each === search.get("range")) ?? "24h";
  const stats = useWorkflowStats(range);
  const { data } = useWorkflows();
  return (
    <Page title="Workflows" actions={<RangeSelect ranges={RANGES} value={range} />}>
      {stats.data === undefined &&
        (stats.error === null ? (
          <Loading />
        ) : (
          <Broken error={stats.error} missing="There is no such list." />
        ))}
      {stats.data?.workflows.length === 0 && (
        <Empty title="This deployment knows no workflow">
          <p className="text-muted">
            List yours in <code>src/workflows/index.ts</code>.
          </p>
        </Empty>
      )}
      {stats.data?.exact === false && <p className="text-muted">Of the newest 20,000 runs of this time.</p>}
      <ul className="grid gap-3">
        {stats.data?.workflows.map((each) => (
          <Card
            key={each.name}
            stats={each}
            newest={data?.workflows.find(({ name }) => name === each.name)}
            range={range}
          />
        ))}
      </ul>
    </Page>
  );
}

interface CardProps {
  readonly stats: Stats;
  /** The newest version that is deployed; none for what is only seen in old runs. */
  readonly newest: Workflow | undefined;
  readonly range: string;
}

function Card({ stats, newest, range }: CardProps) {
  const mayWrite = useMayWrite();
  const runs = `/runs?workflow=${encodeURIComponent(stats.name)}`;
  return (
    <li className="panel grid gap-3 p-4">
      <div className="flex flex-wrap items-center gap-3">
        <h2 className="min-w-0 font-semibold break-words">
          <Link href={runs} className="link">
            {stats.name}
          </Link>
        </h2>
        <span className="text-muted">{versionWords(stats)}</span>
        {stats.registered.length === 0 && <span className="badge tone-hold">Not in this deployment</span>}
        {newest !== undefined && mayWrite && (
          <Link href={`/workflows/${encodeURIComponent(stats.name)}/start`} className="button ml-auto">
            Start run
          </Link>
        )}
      </div>
      <dl className="grid grid-cols-[repeat(auto-fill,minmax(110px,1fr))] gap-3">
        <Figure name="Started" value={formatNumber(stats.started)} />
        <Figure
          name="Live"
          value={formatNumber(stats.live)}
          href={`${runs}&status=ready,running,waiting,paused`}
        />
        <Figure
          name="Completed"
          value={formatNumber(stats.completed)}
          href={`${runs}&status=completed&within=${range}`}
        />
        <Figure
          name="Failed or dead"
          value={formatNumber(stats.failed)}
          href={`${runs}&status=failed,dead&within=${range}`}
        />
        <Figure
          name="Failure share"
          value={stats.failureShare === null ? "–" : `${(stats.failureShare * 100).toFixed(1)} %`}
        />
        <Figure name="Half took up to" value={stats.p50Ms === null ? "–" : formatSpan(stats.p50Ms)} />
        <Figure name="95 % took up to" value={stats.p95Ms === null ? "–" : formatSpan(stats.p95Ms)} />
      </dl>
      {newest !== undefined && (
        <details>
          <summary className="w-fit min-h-6 text-muted">Input schema</summary>
          {newest.inputSchema === null ? (
            <p className="mt-1">It takes anything, or its schema cannot describe itself.</p>
          ) : (
            <JsonView text={JSON.stringify(newest.inputSchema)} />
          )}
        </details>
      )}
    </li>
  );
}

function Figure({
  name,
  value,
  href,
}: {
  readonly name: string;
  readonly value: string;
  readonly href?: string;
}) {
  return (
    <div>
      <dt className="text-xs text-muted">{name}</dt>
      <dd className="text-base font-medium">
        {href === undefined ? (
          value
        ) : (
          <Link href={href} className="hover:underline">
            {value}
          </Link>
        )}
      </dd>
    </div>
  );
}

function versionWords({ registered, seen }: Stats): string {
  const others = seen.map(({ version }) => version).filter((version) => !registered.includes(version));
  const deployed = registered.length === 0 ? "" : `v${registered.join(", v")}`;
  return [deployed, others.length > 0 && `seen in runs: v${others.join(", v")}`].filter(Boolean).join(" · ");
}
