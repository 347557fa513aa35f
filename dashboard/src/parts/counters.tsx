import { useCounts } from "../api/queries.ts";
import type { Query } from "../api/request.ts";
import type { CounterName } from "../api/types.ts";
import type { RunFilter } from "../models/filters.ts";
import { lookOf, type Status, type Tone } from "../models/status.ts";
import { formatCount } from "./count.ts";
import { Icon } from "./icon.tsx";

interface Counter {
  readonly name: Exclude<CounterName, "deadLetters">;
  readonly status: Status;
  readonly waitingFor: string | null;
}

const COUNTERS: readonly Counter[] = [
  { name: "ready", status: "ready", waitingFor: null },
  { name: "running", status: "running", waitingFor: null },
  { name: "sleeping", status: "waiting", waitingFor: "time" },
  { name: "waiting", status: "waiting", waitingFor: "besides-time" },
  { name: "paused", status: "paused", waitingFor: null },
  { name: "completed", status: "completed", waitingFor: null },
  { name: "cancelled", status: "cancelled", waitingFor: null },
  { name: "failed", status: "failed", waitingFor: null },
  { name: "dead", status: "dead", waitingFor: null },
];

interface Props {
  readonly query: Query;
  readonly filter: RunFilter;
  readonly onChange: (filter: RunFilter) => void;
}

/** How many runs there are in each status, within the rest of the filter. Each narrows the list to itself, and back. */
export function Counters({ query, filter, onChange }: Props) {
  const { status: _status, waitingFor: _waitingFor, ...rest } = query;
  const { data } = useCounts(rest);
  return (
    <fieldset className="grid grid-cols-[repeat(auto-fit,minmax(104px,1fr))] gap-2">
      <legend className="visually-hidden">Runs by status</legend>
      {COUNTERS.map((counter) => {
        const pressed =
          filter.statuses.length === 1 &&
          filter.statuses[0] === counter.status &&
          filter.waitingFor === counter.waitingFor;
        const { word, icon, tone } = look(counter);
        const count = data?.counts[counter.name];
        const onClick = () =>
          onChange({
            ...filter,
            statuses: pressed ? [] : [counter.status],
            waitingFor: pressed ? null : counter.waitingFor,
          });
        return (
          <button
            key={counter.name}
            type="button"
            aria-pressed={pressed}
            onClick={onClick}
            className={`panel tone-${tone} grid px-3 py-1.5 text-left hover:bg-hover ${pressed ? "outline-2 outline-accent" : ""}`}
          >
            <span className="flex items-center gap-1.5 text-xs text-muted">
              <span className="toned">
                <Icon name={icon} size={12} />
              </span>
              {word}
            </span>
            <span
              className={`text-lg font-semibold ${tone === "bad" && count !== undefined && count.count > 0 ? "toned" : ""}`}
            >
              {count === undefined ? "–" : formatCount(count)}
            </span>
          </button>
        );
      })}
    </fieldset>
  );
}

function look({ name, status }: Counter): {
  word: string;
  icon: Parameters<typeof Icon>[0]["name"];
  tone: Tone;
} {
  return name === "sleeping" ? { word: "Sleeping", icon: "moon", tone: "wait" } : lookOf(status);
}
