import { type FormEvent, useState } from "react";
import { useWorkflows } from "../api/queries.ts";
import {
  applyQualifiers,
  EMPTY_FILTER,
  isEverything,
  type RunFilter,
  SPANS,
  type SpanName,
} from "../models/filters.ts";
import { notify } from "./notices.tsx";

interface Props {
  readonly filter: RunFilter;
  readonly onChange: (filter: RunFilter) => void;
}

const SPAN_WORDS: Readonly<Record<SpanName, string>> = {
  "1h": "Last hour",
  "24h": "Last 24 hours",
  "7d": "Last 7 days",
  "30d": "Last 30 days",
};

export function FilterBar({ filter, onChange }: Props) {
  return (
    <div className="flex flex-wrap items-center gap-2">
      <WorkflowSelect filter={filter} onChange={onChange} />
      <select
        aria-label="Started within"
        className="field"
        value={filter.within ?? ""}
        onChange={(event) =>
          onChange({
            ...filter,
            within: (event.target.value || null) as SpanName | null,
            createdAfter: null,
            createdBefore: null,
          })
        }
      >
        <option value="">Any time</option>
        {Object.keys(SPANS).map((span) => (
          <option key={span} value={span}>
            {SPAN_WORDS[span as SpanName]}
          </option>
        ))}
      </select>
      <AddFilter filter={filter} onChange={onChange} />
      <Chips filter={filter} onChange={onChange} />
      {!isEverything(filter) && (
        <button
          type="button"
          className="button button-quiet"
          onClick={() => onChange({ ...EMPTY_FILTER, fingerprint: filter.fingerprint })}
        >
          Clear
        </button>
      )}
    </div>
  );
}

function WorkflowSelect({ filter, onChange }: Props) {
  const { data } = useWorkflows();
  const names = new Set(data?.workflows.map(({ name }) => name));
  if (filter.workflow !== null) names.add(filter.workflow);
  return (
    <select
      aria-label="Workflow"
      className="field max-w-56"
      value={filter.workflow ?? ""}
      onChange={(event) => onChange({ ...filter, workflow: event.target.value || null })}
    >
      <option value="">All workflows</option>
      {[...names].sort().map((name) => (
        <option key={name}>{name}</option>
      ))}
    </select>
  );
}

function AddFilter({ filter, onChange }: Props) {
  const [text, setText] = useState("");
  const submit = (event: FormEvent) => {
    event.preventDefault();
    try {
      onChange(applyQualifiers(filter, text));
      setText("");
    } catch (error) {
      notify((error as Error).message);
    }
  };
  return (
    <form onSubmit={submit}>
      <input
        aria-label="Add a filter, such as tag:eu or input.orderId:42"
        className="field w-64 max-w-full text-[0.8125rem]"
        placeholder="tag:eu  input.orderId:42"
        autoComplete="off"
        spellCheck={false}
        value={text}
        onChange={(event) => setText(event.target.value)}
      />
    </form>
  );
}

function Chips({ filter, onChange }: Props) {
  const chips: [string, RunFilter][] = [];
  for (const status of filter.statuses) {
    const waitingFor = status === "waiting" ? null : filter.waitingFor;
    chips.push([
      `status: ${status}`,
      { ...filter, waitingFor, statuses: filter.statuses.filter((each) => each !== status) },
    ]);
  }
  for (const tag of filter.tags)
    chips.push([`tag: ${tag}`, { ...filter, tags: filter.tags.filter((each) => each !== tag) }]);
  if (filter.waitingFor !== null)
    chips.push([
      `waits for: ${filter.waitingFor.replace("besides-time", "more than time")}`,
      { ...filter, waitingFor: null },
    ]);
  if (filter.input !== null)
    chips.push([`input.${filter.input.path}: ${filter.input.value}`, { ...filter, input: null }]);
  if (filter.parent !== null) chips.push([`parent: ${filter.parent}`, { ...filter, parent: null }]);
  if (filter.createdAfter !== null)
    chips.push([`after ${filter.createdAfter}`, { ...filter, createdAfter: null }]);
  if (filter.createdBefore !== null)
    chips.push([`before ${filter.createdBefore}`, { ...filter, createdBefore: null }]);
  return chips.map(([words, without]) => (
    <button
      key={words}
      type="button"
      className="inline-flex min-h-7 max-w-72 items-center gap-1.5 rounded-full border border-line bg-surface px-2.5 text-[0.8125rem] hover:bg-hover"
      onClick={() => onChange(without)}
    >
      <span className="truncated">{words}</span>
      <span aria-hidden="true">×</span>
      <span className="visually-hidden">remove this filter</span>
    </button>
  ));
}
