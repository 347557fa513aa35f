/**
 * The journal: what happened in a run, insert-only.
 *
 * I1: at most one completed entry per key, at most one entry per key and attempt. The database enforces
 * both; this file relies on them.
 */
import type { Encoded } from "./codec.ts";
import type { Failure } from "./failure.ts";

/** What the workflow called, so that code which calls something else under the same key is found out (I7). */
export type EntryKind =
  | "step"
  | "transaction"
  | "sleep"
  /** Waits: for a signal, a channel's message, a child's end, more steps of a graph. */
  | "signal"
  | "message"
  | "child"
  | "mutation"
  /** What the platform performs in the place of a body. */
  | "subscribe"
  | "unsubscribe"
  | "publish"
  | "send"
  /** Done by the commit that journals it. */
  | "start"
  | "hook"
  | "emit"
  | "join"
  | "leave"
  | "state"
  | "value"
  /** What the platform adds by itself. */
  | "compensation"
  | "revival";

/**
 * `completed`, `timed_out` and `failed` settle their key; `retrying` is a failed attempt that will be followed
 * by another; `unknown` is an at-most-once attempt of which only a person can say what came of it; `revived`
 * is a person's word that the failure it carries is forgiven.
 */
export type EntryOutcome = "completed" | "timed_out" | "retrying" | "unknown" | "failed" | "revived";

/** One line of the journal. */
export interface Entry {
  readonly seq: number;
  readonly kind: EntryKind;
  /** The step's identity in its run; null for what concerns the run as a whole. */
  readonly key: string | null;
  readonly outcome: EntryOutcome;
  /** Counted from 1 per key. */
  readonly attempt: number;
  readonly output: Encoded | null;
  readonly failure: Failure | null;
  /** Set for `retrying`: when the next attempt is due, in milliseconds since 1970 by the database's clock. */
  readonly retryAt: number | null;
}

/** The most that a run's journal may hold: what an isolate can read and replay as a whole, at any time. */
export const JOURNAL_LIMIT_ENTRIES = 50_000;
/** Of the values and failures in it, as JSON. */
export const JOURNAL_LIMIT_BYTES = 32_000_000;

/** A part of a journal, in the order of `seq`. */
export interface JournalPage {
  readonly entries: readonly Entry[];
  /** False when others may follow. */
  readonly isLast: boolean;
}

/** An entry that this turn adds. Times are spans: the database's clock turns them into instants at commit. */
export interface NewEntry extends Omit<Entry, "retryAt"> {
  readonly retryInMs: number | null;
  /** How long the step's body ran, or the sleep lasted. */
  readonly tookMs: number;
  /** How long ago it ended, of what a branch did before this turn; at the commit where it is left out. */
  readonly agoMs?: number;
}

/** A sleep that has begun and not yet been journaled as over. */
export interface Timer {
  readonly key: string;
  readonly begunAt: number;
  readonly dueAt: number;
}

/** Something besides time that the run waits for, since a commit. */
export interface Wait {
  readonly key: string;
  readonly kind: "signal" | "message" | "child" | "person" | "mutation";
  readonly begunAt: number;
  /** When it is given up; null for never. */
  readonly dueAt: number | null;
}

/** What the journal says of one key that is not settled. */
export interface Attempts {
  readonly kind: EntryKind;
  /** True when nobody but a person knows what came of the last attempt. */
  readonly unknown: boolean;
  /** The number of the last attempt, counted over the run's whole life. */
  readonly last: number;
  /** Failed attempts that count against the retry budget: those since the last revival. */
  readonly spent: number;
  readonly retryAt: number | null;
}

/** An entry that settles a key, in the order in which replay must hand it over. */
export type Settled = Entry & { readonly key: string };

/** A journal sorted for replay. */
export interface Reading {
  /** What the workflow is handed, in order. */
  readonly settled: readonly Settled[];
  /** Compensations that are over, by their key. */
  readonly compensated: ReadonlyMap<string, Settled>;
  readonly attempts: ReadonlyMap<string, Attempts>;
  readonly lastSeq: number;
  readonly revivals: number;
}

/** Sorts entries (in `seq` order) into what is settled and what is still being tried. */
export function readJournal(entries: readonly Entry[]): Reading {
  const lastRevival = entries.findLast((entry) => entry.outcome === "revived")?.seq ?? 0;
  const revivals = entries.filter((entry) => entry.outcome === "revived").length;
  // Only the failure that ended the run: what the workflow did after catching one cannot be undone.
  const isForgiven = (entry: Entry, next: Entry | undefined) =>
    next?.outcome === "revived" && next.failure?.step === entry.key;
  const settled: Settled[] = [];
  const compensated = new Map<string, Settled>();
  const attempts = new Map<string, Attempts>();
  for (const [i, entry] of entries.entries()) {
    if (!isKeyed(entry)) continue;
    const stays = entry.outcome === "failed" && !isForgiven(entry, entries[i + 1]);
    if (entry.outcome === "completed" || entry.outcome === "timed_out" || stays) {
      if (entry.kind === "compensation") compensated.set(entry.key, entry);
      else settled.push(entry);
      attempts.delete(entry.key);
      continue;
    }
    const before = attempts.get(entry.key);
    attempts.set(entry.key, {
      kind: entry.kind,
      unknown: entry.outcome === "unknown",
      last: entry.attempt,
      spent: entry.seq > lastRevival ? (before?.spent ?? 0) + 1 : 0,
      retryAt: entry.retryAt,
    });
  }
  return { settled, compensated, attempts, lastSeq: entries.at(-1)?.seq ?? 0, revivals };
}

function isKeyed(entry: Entry): entry is Settled {
  return entry.key !== null;
}
