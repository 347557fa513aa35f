import { bytesOf, type Json, jsonBytes } from "../engine/codec.ts";
import type { Consumed, Done } from "../engine/decide.ts";
import type { When } from "../engine/edge.ts";
import type { Effect } from "../engine/effect.ts";
import { JournalTooLarge } from "../engine/errors.ts";
import {
  type EntryKind,
  JOURNAL_LIMIT_BYTES,
  JOURNAL_LIMIT_ENTRIES,
  type NewEntry,
  type Settled,
} from "../engine/journal.ts";
import type { ClaimedRun, NewRun } from "../engine/run.ts";

type What = Pick<NewEntry, "outcome"> & Partial<NewEntry>;

/** What one turn adds to its run, until its decision takes it. */
export class TurnRecord {
  readonly entries: NewEntry[] = [];
  private readonly consumed = new Map<number, Consumed>();
  readonly effects: Effect[] = [];
  readonly endedWaits: string[] = [];
  readonly children = new Map<string, NewRun>();
  /** Branches that can be undone, whoever waits for them. */
  readonly undoable = new Set<string>();
  /** Keys that this turn settled. */
  readonly settled = new Set<string>();
  /** True once this turn ran a body: one is all it may. */
  performed = false;
  /** True once the workflow was given what only this turn has found: a turn that took its place would find another. */
  found = false;
  /** True once something that has arrived was left for the next turn, because this one has taken as much as it may. */
  isCut = false;
  private readonly nextAttempts = new Map<string, When>();
  private seq: number;
  private readonly bytesBefore: number;
  private bytes = 0;
  private effectBytes = 0;

  private readonly mostBytes: number;

  constructor(run: ClaimedRun, mostBytes: number) {
    this.mostBytes = mostBytes;
    this.seq = run.journal.at(-1)?.seq ?? 0;
    this.bytesBefore = run.journalBytes;
  }

  get done(): Done {
    const failed = this.entries.filter((e) => e.kind === "compensation" && e.outcome === "failed");
    const { entries, bytes: entryBytes, effects, endedWaits, children, undoable } = this;
    const consumed = [...this.consumed.values()];
    return {
      entries,
      entryBytes,
      consumed,
      effects,
      endedWaits,
      children,
      undoable,
      failedCompensations: failed.length,
      isCut: this.isCut,
    };
  }

  /** True when the turn has journaled as much as one commit should carry. */
  get isFull(): boolean {
    return this.bytes + this.effectBytes >= this.mostBytes;
  }

  /** The last entry's number. */
  get lastSeq(): number {
    return this.seq;
  }

  /** What the run's journal takes with what this turn adds. */
  get journalBytes(): number {
    return this.bytesBefore + this.bytes;
  }

  /** Throws `JournalTooLarge` when the run's journal has come to more than it may hold. */
  checkSize(): void {
    const bytes = this.journalBytes;
    if (this.seq > JOURNAL_LIMIT_ENTRIES) {
      throw new JournalTooLarge(`${this.seq} entries`, String(JOURNAL_LIMIT_ENTRIES));
    }
    if (bytes > JOURNAL_LIMIT_BYTES) {
      throw new JournalTooLarge(`${bytes} bytes of values`, String(JOURNAL_LIMIT_BYTES));
    }
  }

  append(kind: EntryKind, key: string, what: What): Settled {
    this.seq += 1;
    const nothing = { attempt: 1, output: null, failure: null, retryInMs: null, tookMs: 0 };
    const entry: NewEntry = { ...nothing, seq: this.seq, kind, key, ...what };
    this.entries.push(entry);
    if (entry.output !== null) this.bytes += bytesOf(entry.output);
    if (entry.failure !== null) this.bytes += jsonBytes(entry.failure as unknown as Json);
    if (entry.outcome === "retrying") this.nextAttempts.set(key, { inMs: entry.retryInMs ?? 0 });
    else if (entry.outcome !== "unknown") this.settled.add(key);
    return { ...entry, key, retryAt: null };
  }

  addEffects(effects: readonly Effect[]): void {
    this.effects.push(...effects);
    for (const effect of effects) this.effectBytes += jsonBytes(effect as unknown as Json);
  }

  /** True when a step is to be tried again, or a person is to be asked: only the journal says when. */
  get retries(): boolean {
    return this.entries.some(({ outcome }) => outcome === "retrying" || outcome === "unknown");
  }

  /** When the attempt comes that follows on one of this turn. */
  retryOf(key: string): When | undefined {
    return this.nextAttempts.get(key);
  }

  /** Takes a delivery for the step of this key; null for one that nobody waits for. */
  take(id: number, key: string | null): void {
    this.consumed.set(id, { id, key });
  }

  /** True once this turn has taken the delivery. */
  took(id: number): boolean {
    return this.consumed.has(id);
  }
}
