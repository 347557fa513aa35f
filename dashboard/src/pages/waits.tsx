import { Link, useSearchParams } from "wouter";
import { useChannels, useWaitNames, useWaits } from "../api/queries.ts";
import type { WaitNames } from "../api/types.ts";
import { formatNumber } from "../parts/count.ts";
import { Instant } from "../parts/instant.tsx";
import { RunLink } from "../parts/links.tsx";
import { Broken, Empty, Loading, Page } from "../parts/page.tsx";
import { Pager } from "../parts/pager.tsx";
import { StatusBadge } from "../parts/status-badge.tsx";
import { Wide } from "../parts/wide.tsx";

const WORDS: Readonly<Record<string, string>> = {
  signal: "signal",
  message: "message",
  child: "child run",
  person: "a person's word",
  mutation: "gate",
  hook: "hook",
};

/** Who waits for what, and which channels there are. */
export function WaitsPage() {
  const [search] = useSearchParams();
  const [kind, name] = [search.get("kind"), search.get("name")];
  return (
    <Page title="Channels and signals">
      {kind !== null && name !== null ? (
        <Waiting kind={kind} name={name} cursor={search.get("cursor")} />
      ) : (
        <Names />
      )}
      {kind === null && <Channels />}
    </Page>
  );
}

function Names() {
  const { data, error } = useWaitNames();
  if (data === undefined)
    return error === null ? <Loading /> : <Broken error={error} missing="There is no such list." />;
  if (data.names.length === 0) {
    return (
      <Empty title="No run waits for anything but time">
        <p className="text-muted">
          Runs that call step.waitForSignal, step.receive or step.hook appear here.
        </p>
      </Empty>
    );
  }
  return (
    <section className="grid gap-2">
      <h2 className="font-semibold">Awaited now</h2>
      <div className="panel overflow-x-auto">
        <table className="data">
          <caption className="visually-hidden">What runs wait for, most awaited first</caption>
          <thead>
            <tr>
              <th>Kind</th>
              <th>Name</th>
              <th className="num">Runs</th>
              <th>Oldest</th>
            </tr>
          </thead>
          <tbody>
            {data.names.map((each) => (
              <Name key={`${each.kind} ${each.name}`} wait={each} />
            ))}
          </tbody>
        </table>
      </div>
      {!data.exact && <p className="text-muted">These are the most awaited; there are more.</p>}
    </section>
  );
}

function Name({ wait }: { readonly wait: WaitNames["names"][number] }) {
  const search = new URLSearchParams({ kind: wait.kind, name: wait.name });
  return (
    <tr className="relative">
      <td className="text-muted">{WORDS[wait.kind] ?? wait.kind}</td>
      <td className="max-w-md truncated">
        <Link href={`/waits?${search}`} className="link after:absolute after:inset-0">
          {wait.name}
        </Link>
      </td>
      <td className="num">{formatNumber(wait.count)}</td>
      <td>
        <Instant at={wait.oldestAt} />
      </td>
    </tr>
  );
}

interface WaitingProps {
  readonly kind: string;
  readonly name: string;
  readonly cursor: string | null;
}

function Waiting({ kind, name, cursor }: WaitingProps) {
  const { data, error } = useWaits({ kind, name, ...(cursor === null ? {} : { cursor }) });
  if (data === undefined)
    return error === null ? <Loading /> : <Broken error={error} missing="There is no such list." />;
  return (
    <section className="grid gap-2">
      <p>
        <Link href="/waits" className="link">
          All that is awaited
        </Link>
      </p>
      <h2 className="font-semibold break-words">
        Runs that wait for {WORDS[kind] ?? kind} {name}
      </h2>
      {data.waits.length === 0 && <Empty title="No run waits for it any more" />}
      {data.waits.length > 0 && (
        <div className="panel overflow-x-auto">
          <table className="data">
            <caption className="visually-hidden">Runs that wait for it</caption>
            <thead>
              <tr>
                <th>Run</th>
                <th>Workflow</th>
                <th>Status</th>
                <th>Step</th>
                <th>Since</th>
                <th>Given up</th>
              </tr>
            </thead>
            <tbody>
              {data.waits.map((wait) => (
                <tr key={`${wait.runId} ${wait.key}`}>
                  <td>
                    <RunLink id={wait.runId} copy />
                  </td>
                  <td>{wait.workflow}</td>
                  <td>
                    <StatusBadge status={wait.status} />
                  </td>
                  <td className="max-w-72 truncated">{wait.key}</td>
                  <td>
                    <Instant at={wait.begunAt} />
                  </td>
                  <td>{wait.dueAt === null ? "never" : <Instant at={wait.dueAt} />}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
      <Pager nextCursor={data.nextCursor} />
    </section>
  );
}

function Channels() {
  const [search] = useSearchParams();
  const { data } = useChannels(search.get("cursor") ?? undefined);
  if (data === undefined || (data.channels.length === 0 && search.get("cursor") === null)) return null;
  return (
    <section className="grid gap-2">
      <h2 className="font-semibold">Channels</h2>
      <Wide label="Channels">
        <table className="data">
          <caption className="visually-hidden">Channels by name</caption>
          <thead>
            <tr>
              <th>Name</th>
              <th>Mode</th>
              <th className="num">Subscribers</th>
              <th className="num">Waiting</th>
              <th className="num">Messages kept</th>
            </tr>
          </thead>
          <tbody>
            {data.channels.map((channel) => (
              <tr key={channel.name}>
                <td className="max-w-md truncated font-medium">{channel.name}</td>
                <td className="text-muted">{channel.mode ?? "no subscriber yet"}</td>
                <td className="num">{formatNumber(channel.subscribers)}</td>
                <td className="num">{formatNumber(channel.waiting)}</td>
                <td className="num">{formatNumber(channel.messages)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </Wide>
      <Pager nextCursor={data.nextCursor} />
    </section>
  );
}
