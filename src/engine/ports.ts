/**
 * What the engine's users provide. `runtime/` speaks to Postgres, the queue and the clock only through
 * these; `storage/`, `queue/` and `wiring.ts` implement them.
 */
import type { BranchOutcome } from "./branch.ts";
import type { Encoded } from "./codec.ts";
import type { Decision } from "./decide.ts";
import type { Delivery } from "./delivery.ts";
import type { ClaimedSend, CloudEvent, OutgoingEvent, Route, SendOutcome } from "./event.ts";
import type { JournalPage } from "./journal.ts";
import type { Rest } from "./plan/rest.ts";
import type { BranchRef, ClaimedBranch, ClaimedRun, NewRun, Run, RunRef, RunStatus } from "./run.ts";
import type { ChannelMode, Isolation, KnownVersions, Transaction } from "./workflow.ts";

/** A run that exists now, whether this call made it or its idempotency key had one already. */
export interface StartedRun {
  readonly run: Run;
  readonly created: boolean;
  readonly wakeInMs: number;
  /** True when a signal that came with the start made a run due that was there before. */
  readonly woken?: boolean;
}

/** A run, or one of its branches, that should get a wake-up. */
export interface DueRun extends RunRef {
  /** 0 when it is due now. */
  readonly wakeInMs: number;
  /** The branch's key, where it is one that is due. */
  readonly branch?: string | undefined;
}

/** A run to be claimed. `after` is the last entry of its journal that is known already: then the journal is left out. */
export interface Claim extends RunRef {
  readonly after?: number | undefined;
}

export interface ClaimedBatch {
  readonly claimed: readonly ClaimedRun[];
  /** Due runs whose last turn was lost: each is to be claimed on its own, so that it can take no neighbour with it. */
  readonly suspects: readonly RunRef[];
  /** Only where the claim said what is known. */
  readonly foreign?: readonly ForeignRun[];
  /** Only where something is left: due runs for which this claim had no room, to be claimed once its turns are over. */
  readonly rest?: readonly RunRef[];
}

export interface ClaimedBranches {
  readonly claimed: readonly ClaimedBranch[];
  readonly suspects: readonly BranchRef[];
  readonly foreign?: readonly ForeignRun[];
  readonly rest?: readonly BranchRef[];
}

/** Which journal is read: that of a run whose turn is still this one, or its part up to an entry, which never changes. */
export type JournalPart = { readonly turn: number } | { readonly upTo: number };

/** A due run, or branch, that was left alone because the deployment that asked does not have its code. */
export interface ForeignRun extends RunRef {
  readonly branch?: string;
  readonly workflow: string;
  readonly version: number;
  /** For how long it has been due. */
  readonly overdueMs: number;
}

/** What a commit made durable. A turn that had moved on is missing. */
export interface Committed {
  readonly turns: readonly CommittedTurn[];
  /** Everything that is due because of it: the runs themselves, their branches, children and parents. */
  readonly due: readonly DueRun[];
}

/** A turn whose decision is durable. */
export interface CommittedTurn extends RunRef {
  readonly status: RunStatus;
}

/** A run that a person moved, with its descendants. */
export interface Moved {
  readonly result: "moved" | "unchanged" | "not_found" | RunStatus;
  readonly due: readonly DueRun[];
}

/** A signal on its way to a run. */
export interface NewSignal {
  readonly runId: string;
  readonly name: string;
  readonly payload: Encoded;
  /** The same id again is accepted and ignored. */
  readonly id: string | null;
}

/** `accepted` also for an id that was there before; otherwise why not. */
export interface SentSignal {
  readonly runId: string;
  readonly result: "accepted" | "not_found" | RunStatus;
}

/** What a person says of an at-most-once step that was cut off. */
export type Word =
  | { readonly outcome: "completed"; readonly output: Encoded | null }
  | { readonly outcome: "again" };

/** Steps that were appended to a graph. */
export interface Mutation {
  /** The caller's; null for what a forked run took over. */
  readonly key: string | null;
  readonly request: unknown;
}

export interface NewMutation {
  readonly key: string;
  readonly request: unknown;
  /** Must still be closed. */
  readonly gate: string;
  /** What the run waits for to hear of it. */
  readonly name: string;
  /** How many mutations with a key it was checked against: `outdated` when there are more by now. */
  readonly known: number;
}

export interface Appended {
  readonly result: "appended" | "outdated" | "gate_open" | "not_found" | "compensating" | RunStatus;
  readonly due: readonly DueRun[];
}

export interface NewMessage {
  readonly id: string;
  readonly channel: string;
  readonly payload: Encoded;
  /** For a direct channel: the run that gets it. */
  readonly to: string | null;
}

/** What a signal to one share of a group's members came to. */
export interface GroupShare {
  readonly signalled: number;
  readonly due: readonly DueRun[];
  /** Where the next share begins; null after the last. */
  readonly next: string | null;
}

/** `not_found` also when the run of the hook is over. */
export interface ReceivedHook {
  readonly result: "received" | "used" | "expired" | "not_found";
  readonly due: readonly DueRun[];
}

/** A run that begins with what another has done before one of its steps. */
export interface Fork {
  readonly run: NewRun;
  /** Entries before this step's first are taken over, as far as nothing of them was undone; null for none. */
  readonly from: string | null;
  /** For the hooks among them: what the database is to know of the new run's addresses, by their keys. */
  readonly hooks: readonly { readonly key: string; readonly digest: string }[];
}

/** `undone`: a failed run that has undone what it did has nothing left to go on with. */
export interface ReviveResult {
  readonly result: "revived" | "undone" | "not_found" | RunStatus;
  readonly due: readonly DueRun[];
}
export type DiscardResult = "discarded" | "not_found" | RunStatus;

/** The hot verbs take lists: one run is a list of one. Every verb is one round trip and all or nothing. */
export interface Store {
  /**
   * In the order of `runs`. Throws `IdempotencyConflict` when a key belongs to a run with another input. A signal
   * names its run by the id that `runs` gives it, and goes to the run that the key has already, if one does; throws
   * `WrongStatus` when that one is over.
   */
  startRuns(tenant: string, runs: readonly NewRun[], signals?: readonly NewSignal[]): Promise<StartedRun[]>;
  /**
   * Takes the lease on those of the runs that are due, and reads what their turns need, as long as it is no more than an
   * isolate has room for. With `known`, a run of another version is left alone until it has been due for `FOREIGN_LIMIT_MS`.
   */
  claimRuns(claims: readonly Claim[], leaseMs: number, known?: KnownVersions): Promise<ClaimedBatch>;
  /** A page of the journal: the entries after `after`. Null when the turn is no longer the run's. */
  readJournal(ref: RunRef, part: JournalPart, after: number): Promise<JournalPage | null>;
  /** With all that a claim withheld. Null when it is not in the run's inbox any more. */
  readDelivery(ref: RunRef, id: number): Promise<Delivery | null>;
  /** The same for one run whose last turn was lost. */
  claimSuspect(ref: RunRef, leaseMs: number): Promise<ClaimedBatch>;
  /** Writes those decisions whose turn is still the run's. The others are missing from the answer (I2). */
  commitTurns(decisions: readonly Decision[]): Promise<Committed>;
  /** False when the turn is no longer the run's. */
  renewLease(ref: RunRef, turn: number, leaseMs: number): Promise<boolean>;
  /** Takes the lease on those of the branches that are due and whose runs go forward; `known` as for runs. */
  claimBranches(refs: readonly BranchRef[], leaseMs: number, known?: KnownVersions): Promise<ClaimedBranches>;
  claimSuspectBranch(ref: BranchRef, leaseMs: number): Promise<ClaimedBranches>;
  /** Notes that an at-most-once body is about to run. False when the lease is lost. */
  startBranch(ref: BranchRef, branchTurn: number): Promise<boolean>;
  renewBranch(ref: BranchRef, branchTurn: number, leaseMs: number): Promise<boolean>;
  /** Delivers what branches gave to their runs, or has them tried again; gives what is due because of it. */
  commitBranches(outcomes: readonly BranchOutcome[]): Promise<DueRun[]>;
  /** With its descendants. `compensate` has each undo what it did before it counts as cancelled. */
  cancelRun(ref: RunRef, compensate: boolean): Promise<Moved>;
  pauseRun(ref: RunRef): Promise<Moved>;
  resumeRun(ref: RunRef): Promise<Moved>;
  reviveRun(ref: RunRef): Promise<ReviveResult>;
  discardRun(ref: RunRef): Promise<DiscardResult>;
  /** In the order of `signals`; gives what is due because of them. */
  deliverSignals(
    tenant: string,
    signals: readonly NewSignal[],
  ): Promise<{ readonly sent: readonly SentSignal[]; readonly due: readonly DueRun[] }>;
  /** Appends steps to a run's graph while a gate of it is closed. */
  appendSteps(ref: RunRef, mutation: NewMutation): Promise<Appended>;
  /** What was appended to a run's graph so far. */
  mutations(ref: RunRef): Promise<readonly Mutation[]>;
  /** False when the run waits for no word on that step. */
  deliverWord(
    ref: RunRef,
    key: string,
    word: Word,
  ): Promise<{ readonly found: boolean; readonly due: readonly DueRun[] }>;
  /** Throws `ChannelModeConflict`. */
  subscribe(ref: RunRef, channel: string, mode: ChannelMode): Promise<void>;
  unsubscribe(ref: RunRef, channel: string): Promise<void>;
  /** Keeps the message; `matchMessages` brings it to those who wait. Throws `ChannelModeConflict`. */
  publish(tenant: string, message: NewMessage): Promise<void>;
  /** Brings messages to the runs that wait for them, on one channel or on all, at most `limit`; gives what is due. */
  matchMessages(tenant: string | null, channel: string | null, limit: number): Promise<DueRun[]>;
  /** Signals the members of a group after the run `after`, at most `limit`. */
  signalGroup(
    tenant: string,
    group: string,
    signal: Omit<NewSignal, "runId">,
    after: string,
    limit: number,
  ): Promise<GroupShare>;
  /** Delivers what was posted to a hook, once; a hook is known by the digest of its token. */
  receiveHook(digest: string, payload: Encoded): Promise<ReceivedHook>;
  /** Deletes messages older than that, at most `limit`; gives how many. */
  deleteOldMessages(retentionMs: number, limit: number): Promise<number>;
  /** Null when there is no such step in the run's journal. Throws `IdempotencyConflict`. */
  forkRun(ref: RunRef, fork: Fork): Promise<StartedRun | null>;
  /** Takes back expired leases, at most `limit`; gives the runs that are to be woken. */
  reclaimLeases(limit: number, lostTurnLimit: number): Promise<Sweep>;
  reclaimBranches(limit: number, lostTurnLimit: number): Promise<Sweep>;
  /** Runs that are due or soon will be and have no wake-up under way, at most `limit`. */
  collectDueRuns(limit: number, graceMs: number, horizonMs: number): Promise<Sweep>;
  collectDueBranches(limit: number, graceMs: number, horizonMs: number): Promise<Sweep>;
  /** Hands events that are new to those sinks that want them, at most `limit`; gives how many it looked at. */
  routeEvents(routes: readonly Route[], limit: number): Promise<number>;
  /** Takes what is due at the sink, at most `limit`: of each run only the first that is not sent or dead. */
  claimSends(sink: string, limit: number, leaseMs: number): Promise<ClaimedSend[]>;
  /** Writes what came of tries that no later one has followed. */
  settleSends(outcomes: readonly SendOutcome[]): Promise<void>;
  /** What is dead becomes pending, at every sink. */
  redeliverEvent(tenant: string, id: string): Promise<"redelivered" | "not_dead" | "not_found">;
  /** Deletes events that are older and went wherever they had to go, at most `limit`; gives how many. */
  forgetEvents(limit: number, olderThanMs: number): Promise<number>;
  /**
   * In how many ms the earliest thing is due that a sweep looks after: 0 when it is due already, null when there is none. Events
   * are those on their way to `sinks`. It knows nothing of messages that are still to be brought: see `matchMessages`.
   */
  nextDue(sinks: readonly string[], retention: Retention): Promise<number | null>;
  /** Notes that the cron swept, and the mark that it read; gives for how many ms it has been reading this one. */
  recordTick(mark: string | null): Promise<number>;
  /** Notes that the cron stays away for so long; until it sweeps again, `health` tells of it. */
  recordIdle(ms: number): Promise<void>;
}

/** How long what is over is kept. */
export interface Retention {
  /** Messages, read or not, by their channels. */
  readonly messageRetentionMs: number;
  /** Events, once they went wherever they had to go. */
  readonly eventRetentionMs: number;
}

export interface Sweep {
  readonly due: readonly DueRun[];
  /** How many runs it looked after; as many as `limit` means that there may be more. */
  readonly swept: number;
  /** Runs whose rows Postgres would not have written: they stay as they are, and the others are swept. */
  readonly refused?: readonly RefusedRun[];
}

export interface RefusedRun extends RunRef {
  readonly error: unknown;
}

/** The way to a transaction that the user's code takes part in. */
export interface Transactions {
  /**
   * Opens a transaction, lets `work` use it, and commits its writes together with the delivery to the run. False, and
   * nothing written, when the branch's lease is lost. What `work` throws is thrown after the rollback; a commit
   * of which nothing can be learned throws `StoreUnavailable`.
   */
  run(
    branch: ClaimedBranch,
    isolation: Isolation,
    signal: AbortSignal,
    work: (
      tx: Transaction,
    ) => Promise<{ readonly output: Encoded | null; readonly events: readonly CloudEvent[] }>,
  ): Promise<boolean>;
}

/** A place outside that is told of events. */
export interface EventSink extends Route {
  /** How often it is tried before the event counts as dead there. */
  readonly attempts: number;
  /** Rejects with what went wrong; whether the event arrived is then unknown. */
  send(event: OutgoingEvent): Promise<void>;
}

/** The queue that asks for turns. Losing a wake-up costs time only: the sweep sends it again. */
export interface WakeUps {
  /** Where there are several queues, a run's wake-ups keep to one of them. */
  send(due: readonly DueRun[]): Promise<void>;
  /** For what the sweep found: through any queue, as the one of before may have lost it. */
  sendAgain(due: readonly DueRun[]): Promise<void>;
  /** Asks for another share of the sweeps, or of one of them only, at once or in so many seconds. */
  sweepAgain(only?: SweepPart, delaySeconds?: number): Promise<void>;
}

/** Sweeps that are asked for on their own: the delivery of events, and bulk actions. */
export type SweepPart = "events" | "bulk";

/**
 * What the cron knows without asking the database. It stands outside Postgres and may be stale, forget and refuse, so
 * nothing but the ticks' own frequency may depend on it.
 */
export interface Agenda {
  /** As this place sees it: what was written elsewhere may take a minute or more to come here. */
  read(): Promise<Noted>;
  /** Has every tick that reads it sweep: something is changed from outside. No mark comes twice. */
  mark(mark: string): Promise<void>;
  /** Lets ticks do without the database. */
  idle(idle: Idle): Promise<void>;
}

export interface Noted {
  /** The newest mark; null when none is known. */
  readonly mark: string | null;
  readonly idle: Idle | null;
}

/** Between these times of the cron nothing comes to be due, unless there is another mark than this one. */
export interface Idle {
  readonly mark: string;
  readonly from: number;
  readonly until: number;
}

/** This worker's own time: for spans and timers, never compared with what the database says. */
export interface Clock {
  now(): number;
  /** Resolves after `ms`, or at once when `signal` aborts. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
  readonly rest: Rest;
}
