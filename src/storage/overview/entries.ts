import type { EntryKind, EntryOutcome } from "../../engine/journal.ts";
import type { LastEntry } from "../../engine/overview.ts";

/** An entry of the journal without its payload. */
export interface LastEntryRow {
  readonly kind: EntryKind;
  readonly key: string | null;
  readonly outcome: EntryOutcome;
  readonly attempt: number;
  readonly recorded_at: number;
  readonly retry_at: number | null;
  readonly failure_name: string | null;
  readonly failure_message: string | null;
}

export function toLastEntry(row: LastEntryRow): LastEntry {
  const { kind, key, outcome, attempt, recorded_at: recordedAt, retry_at: retryAt } = row;
  const { failure_name: name, failure_message: message } = row;
  const failure = name === null ? null : { name, message: message ?? "" };
  return { kind, key, outcome, attempt, recordedAt, retryAt, failure };
}
