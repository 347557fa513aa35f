import type { ReactNode } from "react";
import { Link } from "wouter";
import { useSystem } from "../api/queries.ts";
import type { System } from "../api/types.ts";
import { formatBytes } from "../models/bytes.ts";
import type { Tone } from "../models/status.ts";
import { formatSpan } from "../models/time.ts";
import { formatCount, formatNumber } from "../parts/count.ts";
import { Instant } from "../parts/instant.tsx";
import { RunLink } from "../parts/links.tsx";
import { Broken, Loading, Page } from "../parts/page.tsx";
import { Wide } from "../parts/wide.tsx";

/** A queue that is this far behind is worth a look. */
const LAG_MS = 60_000;

export function SystemPage() {
  const { data, error } = useSystem();
  return (
    <Page title="System">
      {data === undefined ? (
        error === null ? (
          <Loading />
        ) : (
          <Broken error={error} missing="There is no such page." />
        )
      ) : (
        <State system={data} />
      )}
    </Page>
  );
}

function Cron({ tick }: Pick<System, "tick">) {
  const { ageMs, idleUntil, late } = tick;
  if (idleUntil !== null && ageMs === 0) {
    return (
      <Tile name="Cron" tone="ok" value="idle">
        Nothing is due. It looks again <Instant at={idleUntil} />.
      </Tile>
    );
  }
  return (
    <Tile
      name="Cron"
      tone={late ? "bad" : "ok"}
      value={ageMs === null ? "never ticked" : `${formatSpan(ageMs)} ago`}
    >
      {late ? "Late: lost wake-ups and expired leases wait for it." : "It ticks as it should."}
    </Tile>
  );
}

function State({ system }: { readonly system: System }) {
  const { tick, queue, leases, events, stuck } = system;
  return (
    <>
      <div className="grid grid-cols-[repeat(auto-fill,minmax(180px,1fr))] gap-3">
        <Cron tick={tick} />
        <Tile name="Queue lag" tone={queue.lagMs > LAG_MS ? "hold" : "ok"} value={formatSpan(queue.lagMs)}>
          {formatCount(queue.due)} due and not yet claimed
        </Tile>
        <Tile
          name="Leases"
          tone={leases.expired.count > 0 ? "hold" : "ok"}
          value={formatCount(leases.running)}
        >
          {formatCount(leases.expired)} have run out; the sweep takes them back
        </Tile>
        <Tile name="Events" tone={events.dead.count > 0 ? "bad" : "ok"} value={formatCount(events.pending)}>
          pending; {formatCount(events.dead)} dead at a sink
        </Tile>
        <Tile name="Database" tone="ok" value={formatBytes(system.database.bytes)}>
          schema at {system.migrations}
        </Tile>
        <Tile name="Bulk actions" tone="ok" value={formatNumber(system.bulk.running)}>
          under way.{" "}
          <Link href="/bulk" className="link">
            All of them
          </Link>
        </Tile>
      </div>
      <Stuck stuck={stuck} />
      <Sweeps sweeps={system.sweeps} />
      <Turns turns={system.turns} />
      <Tables tables={system.database.tables} />
      <p className="text-muted">
        Asked <Instant at={system.now} as="exact" />
        {system.deployment !== null && <> · deployment {system.deployment}</>}
      </p>
    </>
  );
}

interface TileProps {
  readonly name: string;
  readonly tone: Tone;
  readonly value: string;
  readonly children: ReactNode;
}

const TONE_WORDS: Partial<Record<Tone, string>> = { hold: "Look at this", bad: "Wrong" };

function Tile({ name, tone, value, children }: TileProps) {
  const word = TONE_WORDS[tone];
  return (
    <section className={`panel tone-${tone} p-4`}>
      <h2 className="flex items-center justify-between text-xs text-muted">
        {name}
        {word !== undefined && <span className="badge">{word}</span>}
      </h2>
      <p className="text-xl font-semibold">{value}</p>
      <p className="text-[0.8125rem] wrap-anywhere text-muted">{children}</p>
    </section>
  );
}

function Stuck({ stuck }: { readonly stuck: System["stuck"] }) {
  return (
    <section className="grid gap-2">
      <h2 className="font-semibold">Stuck runs</h2>
      {!stuck.checked && <p className="notice tone-hold">This took too long to ask.</p>}
      {stuck.checked && stuck.runs.length === 0 && (
        <p className="text-muted">None: everything that is not over has something that moves it on.</p>
      )}
      {stuck.runs.length > 0 && (
        <ul className="panel divide-y divide-line">
          {stuck.runs.map(({ id, status, reason }) => (
            <li key={id} className="flex flex-wrap gap-x-3 px-4 py-2">
              <RunLink id={id} copy />
              <span className="text-muted">{status}</span>
              <span>{reason}</span>
            </li>
          ))}
        </ul>
      )}
    </section>
  );
}

type Outcome = System["sweeps"][number]["outcome"];

const OUTCOMES: Readonly<Record<Outcome, string>> = {
  all: "Nothing is left to do",
  more: "There was more: it went on at once",
  failed: "Failed: the worker's log says why",
};

function Sweeps({ sweeps }: Pick<System, "sweeps">) {
  return (
    <section className="grid gap-2">
      <h2 className="font-semibold">Sweeps</h2>
      {sweeps.length === 0 && <p className="text-muted">The cron has not swept yet.</p>}
      {sweeps.length > 0 && (
        <Wide label="Sweeps">
          <table className="data">
            <caption className="visually-hidden">What each sweep of the cron last came to</caption>
            <thead>
              <tr>
                <th>Sweep</th>
                <th>Last</th>
                <th className="num">Took</th>
                <th>Came to</th>
              </tr>
            </thead>
            <tbody>
              {sweeps.map(({ name, at, ms, outcome }) => (
                <tr key={name}>
                  <td className="font-medium">{name}</td>
                  <td>
                    <Instant at={at} />
                  </td>
                  <td className="num">{formatMilliseconds(ms)}</td>
                  <td className={outcome === "failed" ? "tone-bad" : "text-muted"}>{OUTCOMES[outcome]}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </Wide>
      )}
    </section>
  );
}

type Phase = System["turns"]["phases"][number]["phase"];

const PHASES: Readonly<Record<Phase, string>> = {
  queue: "Its wake-up comes later than it was meant to",
  claim: "It is leased, with all of its batch",
  invocation: "It gets an invocation of its own, and comes back",
  replay: "Its function runs up to where it rests",
  step: "The body of its step runs",
  group: "It waits for the commit before its own",
  commit: "It becomes durable, with whatever else has ended",
  "wake-up": "The next wake-up is sent",
};

function Turns({ turns: { hours, phases } }: { readonly turns: System["turns"] }) {
  const all = phases.reduce((sum, { totalMs }) => sum + totalMs, 0);
  return (
    <section className="grid gap-2">
      <h2 className="font-semibold">Where the time of turns goes</h2>
      {phases.length === 0 && <p className="text-muted">No turn was measured in the last {hours} hours.</p>}
      {phases.length > 0 && (
        <Wide label="Where the time of turns goes">
          <table className="data">
            <caption className="visually-hidden">Time by phase in the last {hours} hours</caption>
            <thead>
              <tr>
                <th>Phase</th>
                <th>What happens</th>
                <th className="num">Share</th>
                <th className="num">Turns</th>
                <th className="num">Mean</th>
                <th className="num">p50</th>
                <th className="num">p95</th>
                <th className="num">p99</th>
              </tr>
            </thead>
            <tbody>
              {phases.map(({ phase, turns, totalMs, meanMs, p50Ms, p95Ms, p99Ms }) => (
                <tr key={phase}>
                  <td className="font-medium">{phase}</td>
                  <td className="text-muted">{PHASES[phase]}</td>
                  <td className="num">{all === 0 ? "0.0" : ((totalMs / all) * 100).toFixed(1)} %</td>
                  <td className="num">{formatNumber(turns)}</td>
                  <td className="num">{formatMilliseconds(meanMs)}</td>
                  <td className="num">{formatMilliseconds(p50Ms)}</td>
                  <td className="num">{formatMilliseconds(p95Ms)}</td>
                  <td className="num">{formatMilliseconds(p99Ms)}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </Wide>
      )}
    </section>
  );
}

/** Most phases take a few milliseconds: `1.4 ms`, and above ten as any span. */
function formatMilliseconds(ms: number | null): string {
  if (ms === null) return "";
  return ms < 10 ? `${ms.toFixed(1)} ms` : formatSpan(ms);
}

function Tables({ tables }: { readonly tables: System["database"]["tables"] }) {
  return (
    <section className="grid gap-2">
      <h2 className="font-semibold">Tables</h2>
      <Wide label="Tables">
        <table className="data">
          <caption className="visually-hidden">Tables of the database</caption>
          <thead>
            <tr>
              <th>Name</th>
              <th className="num">Rows, about</th>
              <th className="num">Size with its indexes</th>
            </tr>
          </thead>
          <tbody>
            {tables.map(({ name, rows, bytes }) => (
              <tr key={name}>
                <td className="font-mono text-[0.8125rem]">{name}</td>
                <td className="num">{formatNumber(rows)}</td>
                <td className="num">{formatBytes(bytes)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </Wide>
    </section>
  );
}
