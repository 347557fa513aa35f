/** What a workflow is given as `run`. */
import { type Encoded, encode } from "../codec.ts";
import type { Effect } from "../effect.ts";
import { UnstorableValue } from "../errors.ts";
import type { EntryKind, Reading } from "../journal.ts";
import type { ClaimedRun } from "../run.ts";
import type { RunFacts } from "../workflow.ts";
import { type Asker, effectOnly } from "./ask.ts";
import { checkLabel } from "./checks.ts";

/** What a workflow is told of its run, and what it tells others about it. */
export function runFacts(run: ClaimedRun, reading: Reading, ask: Asker): RunFacts {
  const { tenant, runId, workflow, version, tags, startedAt, parent } = run;
  const effect = (name: string, entry: EntryKind, what: string, label: string, make: () => Effect) =>
    ask<never>(name, (key) => {
      checkLabel(what, label);
      const made = make();
      return { kind: "instant", entry, key, settle: () => effectOnly(made) };
    });
  return {
    id: runId,
    workflow,
    version,
    tenant,
    tags,
    startedAt: new Date(startedAt),
    attempt: 1 + reading.revivals,
    parent: parent?.runId ?? null,
    join: (group) => effect(`join ${group}`, "join", "A group", group, () => ({ kind: "join", group })),
    leave: (group) => effect(`leave ${group}`, "leave", "A group", group, () => ({ kind: "leave", group })),
    set: (key, value) =>
      effect(`set ${key}`, "state", "The run's state", key, () => ({
        kind: "set",
        key,
        value: plain(value, `The state "${key}"`),
      })),
    append: (key, value) =>
      effect(`append ${key}`, "state", "The run's state", key, () => ({
        kind: "append",
        key,
        value: plain(value, `The state "${key}"`),
      })),
  };
}

/** Others read it as JSON, so it must be that. */
function plain(value: unknown, what: string): Encoded {
  const encoded = encode(value, what);
  if (encoded.meta === null) return encoded;
  throw new UnstorableValue(
    what,
    "",
    "is not plain JSON",
    "Turn dates, maps and the like into text or numbers.",
  );
}
