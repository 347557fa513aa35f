import type { Decision } from "../../../../src/engine/decide.ts";
import type { NewEntry } from "../../../../src/engine/journal.ts";
import { useKey } from "../runs.ts";
import type { EntryRow, KeyUse, State, StoredRun } from "../tables.ts";
import { after, ConstraintViolated } from "../values.ts";

/** I1: throws where a unique index of the journal would refuse one of the entries. Writes nothing. */
export function refuseEntries({ journal, keys }: StoredRun, entries: readonly NewEntry[]): void {
  if (entries.length === 0) return;
  const trial = new Map<string, KeyUse>();
  let last = journal.at(-1)?.entry.seq ?? 0;
  for (const { seq, key, attempt, outcome } of entries) {
    if (seq <= last) throw new ConstraintViolated(`journal_pkey: ${seq}`);
    last = seq;
    if (key === null) continue;
    const known = trial.has(key) ? undefined : keys.get(key);
    if (known !== undefined) trial.set(key, { ...known, attempts: [...known.attempts] });
    useKey(trial, key, attempt, outcome === "completed");
  }
}

export function writeJournal({ now }: State, run: StoredRun, { entries, turn }: Decision): void {
  for (const entry of entries) {
    run.journal.push(rowOf(entry, turn, now));
    if (entry.key !== null) useKey(run.keys, entry.key, entry.attempt, entry.outcome === "completed");
  }
}

function rowOf({ tookMs, agoMs = 0, retryInMs, ...entry }: NewEntry, turn: number, now: number): EntryRow {
  const recordedAt = now - Math.ceil(agoMs);
  const retryAt = retryInMs === null ? null : after(recordedAt, retryInMs);
  const { seq, kind, key, outcome, attempt, output, failure } = entry;
  return {
    entry: { seq, kind, key, outcome, attempt, output, failure, retryAt },
    turn,
    startedAt: recordedAt - Math.ceil(tookMs),
    recordedAt,
  };
}
