/** Questions that change nothing, and how runs look to those who ask them. `storage/reads.ts` answers. */
import type { Encoded, Json } from "./codec.ts";
import type { FailedAttempt } from "./delivery.ts";
import type { EventFilter, EventLine } from "./event.ts";
import type { Failure } from "./failure.ts";
import type { EntryKind, EntryOutcome, Wait } from "./journal.ts";
import type { LiveBranch, Run, RunDetail, RunRef, RunStatus } from "./run.ts";
import type { TickState } from "./tick.ts";
import type { ChannelMode } from "./workflow.ts";

/** A channel as people see it. */
export interface Channel {
  readonly name: string;
  /** Null until somebody subscribes, or a message names who gets it. */
  readonly mode: ChannelMode | null;
  /** Counted up to 10,000, like the other two. */
  readonly subscribers: number;
  /** Live runs that wait for a message. */
  readonly waiting: number;
  /** Those that are kept; of a competing or direct channel, those that nobody was brought yet. */
  readonly messages: number;
}

export interface GroupMember {
  readonly runId: string;
  readonly workflow: string;
  readonly status: RunStatus;
  readonly joinedAt: number;
}

/** What is known of a run that another is to be made from. */
export interface ForkSource {
  readonly run: RunDetail;
  /** Keys of its hooks. */
  readonly hooks: readonly string[];
}

/** A journal entry as people see it. */
export interface JournalLine {
  readonly seq: number;
  readonly kind: EntryKind;
  readonly key: string | null;
  readonly outcome: EntryOutcome;
  readonly attempt: number;
  readonly turn: number;
  readonly output: Encoded | null;
  readonly failure: Failure | null;
  readonly startedAt: number;
  readonly recordedAt: number;
  readonly retryAt: number | null;
}

export interface RunFilter {
  readonly workflow?: string | undefined;
  readonly statuses?: readonly RunStatus[] | undefined;
  /** All of them. */
  readonly tags?: readonly string[] | undefined;
  readonly createdAfter?: number | undefined;
  readonly createdBefore?: number | undefined;
  readonly input?: { readonly path: readonly string[]; readonly value: string } | undefined;
  /** The run that started it. */
  readonly parent?: string | undefined;
  /** What it waits for, among other things; `time` for a run that waits for nothing else, `besides-time` for any other. */
  readonly waitingFor?: Wait["kind"] | "time" | "besides-time" | undefined;
  /** Of dead letters: the kind of failure that they have in common. */
  readonly fingerprint?: string | undefined;
  /** Only runs whose ids come after this one. */
  readonly newerThan?: string | undefined;
  /** The id that a search goes back to, itself included: what `searchEnd` gave. */
  readonly oldest?: string | undefined;
}

/** Something a run waits for, as people see it. */
export interface OpenWait extends Wait {
  /** The signal, the channel, the child's id; of a person's word the step. */
  readonly name: string;
}

/** A step that runs apart from its run's turn, as people see it. */
export interface OpenBranch extends LiveBranch {
  /** The attempt that is next or under way. */
  readonly attempt: number;
  /** When it is due, unless it is leased. */
  readonly wakeAt: number | null;
  /** Attempts that failed before, without their stacks. */
  readonly failures: readonly FailedAttempt[];
}

/** What a run waits for and what is under way beside its turn. */
export interface UnderWay {
  readonly waits: readonly OpenWait[];
  readonly branches: readonly OpenBranch[];
}

/** What a run shows of itself under one key. */
export interface StateLine {
  readonly key: string;
  readonly value: Json;
  readonly updatedAt: number;
}

/** Questions that change nothing. Lists are newest first; `before` is the id that the last page ended with. */
export interface Reads {
  run(ref: RunRef): Promise<RunDetail | null>;
  runs(tenant: string, filter: RunFilter, limit: number, before: string | null): Promise<Run[]>;
  deadLetters(tenant: string, filter: RunFilter, limit: number, before: string | null): Promise<Run[]>;
  /**
   * How far back one question may look at inputs, which no index has: the oldest of the next 5,000 runs that the rest of
   * the filter leaves; null when there are fewer.
   */
  searchEnd(tenant: string, filter: RunFilter, before: string | null): Promise<string | null>;
  /** Null when there is no such run. Oldest first. */
  journal(ref: RunRef, limit: number, after: number): Promise<JournalLine[] | null>;
  /** Nothing of a run that is not there. */
  underWay(ref: RunRef): Promise<UnderWay>;
  /** Under all keys, or the one; null when there is no such run. */
  state(ref: RunRef, key: string | null): Promise<StateLine[] | null>;
  /** Null when there is no such run. */
  forkSource(ref: RunRef): Promise<ForkSource | null>;
  /** Newest first; `before` is the `seq` that the last page ended with. */
  events(tenant: string, filter: EventFilter, limit: number, before: number | null): Promise<EventLine[]>;
  event(tenant: string, id: string): Promise<EventLine | null>;
  /** By name; `after` is the name that the last page ended with. */
  channels(tenant: string, limit: number, after: string): Promise<Channel[]>;
  /** By id; `after` is the id that the last page ended with. */
  groupMembers(tenant: string, group: string, limit: number, after: string): Promise<GroupMember[]>;
  health(): Promise<TickState>;
}
