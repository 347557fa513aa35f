/**
 * What to write at the end of a turn. Pure: a turn's facts in, a `Decision` out.
 *
 * I3: only `completed`, `cancelled`, `failed` and `dead` are decided here, once, from a run that was running.
 */
import { type Encoded, encode } from "./codec.ts";
import type { Edge, Plan, StepEdge, WaitEdge, When } from "./edge.ts";
import type { Effect } from "./effect.ts";
import { type Failure, toFailure } from "./failure.ts";
import type { NewEntry, Timer, Wait } from "./journal.ts";
import type { ClaimedRun, NewRun, Parent, RunRef, RunStatus, Verdict } from "./run.ts";

/** A sleep that begins with this commit. */
export interface NewTimer {
  readonly key: string;
  readonly due: When;
}

/** A wait for a fact that begins with this commit. */
export interface NewWait {
  readonly key: string;
  readonly kind: Wait["kind"];
  /** The signal, the channel, the child's id; of a person's word the step. */
  readonly name: string;
  readonly due: When | null;
}

/** A step that from this commit on runs apart from its run's turn. */
export interface NewBranch {
  readonly key: string;
  readonly askedAt: number;
  readonly attempt: number;
  readonly spent: number;
  /** When its next attempt is due; null for at once. */
  readonly due: When | null;
}

/** A delivery that this commit takes (I5). */
export interface Consumed {
  readonly id: number;
  /** The entry that holds it now; null for one that nobody waits for any more. */
  readonly key: string | null;
}

/** What one turn writes: all of it or, when the turn has moved on (I2), nothing. */
export interface Decision extends RunRef {
  readonly turn: number;
  readonly status: Exclude<RunStatus, "running" | "paused">;
  /** For `ready` and `waiting`: the run is due at the earlier of the two; waiting with neither is for a fact. */
  readonly wakeAt: number | null;
  readonly wakeInMs: number | null;
  /** I4: when more has been delivered since, the run stays `ready`. */
  readonly deliveries: number;
  readonly entries: readonly NewEntry[];
  /** What the values and failures in them take as JSON. */
  readonly entryBytes: number;
  readonly timers: readonly NewTimer[];
  /** Keys of timers and waits that are over, or that nobody will wait for any more. */
  readonly endedTimers: readonly string[];
  readonly waits: readonly NewWait[];
  readonly endedWaits: readonly string[];
  readonly branches: readonly NewBranch[];
  /** Keys of branches that nobody waits for any more. */
  readonly endedBranches: readonly string[];
  readonly consumed: readonly Consumed[];
  readonly effects: readonly Effect[];
  /** What the run waits for, or did last; null leaves what is known. */
  readonly currentStep: string | null;
  readonly output: Encoded | null;
  readonly failure: Failure | null;
  /** Set once the run undoes what it did; stays set. */
  readonly verdict: Verdict | null;
  readonly failedCompensations: number;
  /** The run that goes on in this one's place. */
  readonly successor: NewRun | null;
  /** Told when the run ends. */
  readonly parent: Parent | null;
}

/** What decides, besides the plan: the run as it was claimed. */
export type DecidingRun = Omit<
  ClaimedRun,
  "input" | "journal" | "journalBytes" | "version" | "tags" | "now" | "startedAt" | "deadlineAt"
>;

/** What a turn has done so far. */
export interface Done {
  readonly entries: readonly NewEntry[];
  readonly entryBytes: number;
  readonly consumed: readonly Consumed[];
  readonly effects: readonly Effect[];
  readonly endedWaits: readonly string[];
  readonly failedCompensations: number;
  /** Children that this turn is to start, by the key of the step that waits for each. */
  readonly children: ReadonlyMap<string, NewRun>;
  /** Branches that nobody waits for any more and that can be undone: what they do must be known if the run fails later. */
  readonly undoable: ReadonlySet<string>;
  /** True when something that has arrived is left for the next turn, which comes at once. */
  readonly isCut: boolean;
}

export const NOTHING_DONE: Done = {
  entries: [],
  entryBytes: 0,
  consumed: [],
  effects: [],
  endedWaits: [],
  failedCompensations: 0,
  children: new Map(),
  undoable: new Set(),
  isCut: false,
};

/** The most steps of one run that run side by side; further ones follow as these end. */
export const BRANCH_LIMIT = 1_000;

/** The decision that follows from a plan and what this turn did. */
export function decide(run: DecidingRun, plan: Plan, done: Done = NOTHING_DONE): Decision {
  switch (plan.state) {
    case "finished":
      return finish(run, plan.output, done);
    case "continued":
      throw new Error("a run that goes on as another needs decideContinued");
    case "threw":
      return decideFailed(run, plan.thrown, done);
    case "stuck":
      return decideDead(run, plan.error, done);
    case "resting":
      return park(run, plan.edges, done);
  }
}

/** The platform gives up on the run until a person revives it. */
export function decideDead(run: DecidingRun, error: unknown, done: Done = NOTHING_DONE): Decision {
  return { ...blank(run, done), status: "dead", failure: toFailure(error) };
}

/** The run's verdict is a failure, and nothing is left to be undone. */
export function decideFailed(run: DecidingRun, error: unknown, done: Done = NOTHING_DONE): Decision {
  return { ...blank(run, done), status: "failed", failure: toFailure(error) };
}

/** In place of a decision that the database will never accept. */
export function decideRefused(refused: Decision, error: unknown): Decision {
  const nothing = { timers: [], endedTimers: [], waits: [], endedWaits: [], branches: [], endedBranches: [] };
  const none = {
    entries: [],
    entryBytes: 0,
    consumed: [],
    effects: [],
    output: null,
    successor: null,
    verdict: null,
  };
  const parked = { wakeAt: null, wakeInMs: null, currentStep: null };
  return { ...refused, ...nothing, ...none, ...parked, status: "dead", failure: toFailure(error) };
}

/** The run goes on as `successor`. */
export function decideContinued(run: DecidingRun, successor: NewRun, done: Done): Decision {
  return { ...blank(run, done), status: "completed", successor, endedTimers: keysOf(run.timers) };
}

/** Nothing is left to be undone: the run is what its verdict says. `undid` says whether anything was. */
export function decideUndone(run: DecidingRun, verdict: Verdict, undid: boolean, done: Done): Decision {
  const { status, failure } = verdict;
  const endedTimers = status === "cancelled" ? keysOf(run.timers) : [];
  return { ...blank(run, done), endedTimers, verdict: undid ? verdict : null, status, failure };
}

/** The run undoes what it did: `next` comes next; null while steps that can be undone are still under way. */
export function decideCompensating(
  run: DecidingRun,
  verdict: Verdict,
  done: Done,
  next: { readonly key: string; readonly due: When | null } | null,
): Decision {
  const due: When | null = next === null ? null : (next.due ?? { inMs: 0 });
  return {
    ...blank(run, done),
    status: due !== null && "inMs" in due && due.inMs === 0 ? "ready" : "waiting",
    wakeAt: due !== null && "at" in due ? due.at : null,
    wakeInMs: due !== null && "inMs" in due ? due.inMs : null,
    endedBranches: run.branches.flatMap(({ key, leased }) => (leased ? [] : [key])),
    currentStep: next?.key ?? null,
    verdict,
    failure: null,
  };
}

/** What a run that returned `output` stores of it. Throws what the run fails with when that cannot be stored. */
export function encodeOutput(run: DecidingRun, output: unknown): Encoded | null {
  return output === undefined ? null : encode(output, `The output of workflow "${run.workflow}"`);
}

function finish(run: DecidingRun, output: unknown, done: Done): Decision {
  try {
    const encoded = encodeOutput(run, output);
    return { ...blank(run, done), status: "completed", output: encoded, endedTimers: keysOf(run.timers) };
  } catch (error) {
    return decideFailed(run, error, done);
  }
}

function park(run: DecidingRun, edges: readonly Edge[], done: Done): Decision {
  const waits = edges.filter((edge): edge is WaitEdge => edge.kind === "wait");
  const steps = edges.filter((edge): edge is StepEdge => edge.kind === "step");
  const asked = steps.filter((edge) => edge.unknown);
  const people = asked.filter((edge) => !run.waits.some(({ key }) => key === edge.key));
  // A step alone is performed in the turn; several, and one beside anything else, each apart.
  const apart = edges.length > 1 || steps.some((edge) => mustBeApart(edge));
  const wanted = new Set(steps.map(({ key }) => key));
  const open = new Set(edges.map(({ key }) => key));
  const finished = new Set(done.entries.flatMap((entry) => (entry.key === null ? [] : [entry.key])));
  const live = run.branches.filter(({ key }) => wanted.has(key) && !finished.has(key));
  const taken = new Set(done.consumed.map(({ id }) => id));
  const arrived = run.inbox.filter(({ kind, id }) => kind === "branch" && !taken.has(id));
  const forked = new Set([...run.branches.map(({ key }) => key), ...arrived.map(({ name }) => name)]);
  const startable = steps.filter((edge) => !edge.unknown && !forked.has(edge.key));
  const room = Math.max(0, BRANCH_LIMIT - live.length);
  const branches = apart ? startable.slice(0, room).map(toBranch) : [];
  const dues = edges.flatMap((edge): (When | null)[] => {
    if (edge.kind === "instant") return [{ inMs: 0 }];
    if (edge.kind !== "step") return [edge.due];
    // The last of several is a branch still: its delivery makes the run due.
    return apart || edge.unknown || forked.has(edge.key) ? [] : [edge.due ?? { inMs: 0 }];
  });
  const wakeInMs = earliest(dues.flatMap((due) => (due !== null && "inMs" in due ? [due.inMs] : [])));
  return {
    ...blank(run, done),
    status: wakeInMs === 0 ? "ready" : "waiting",
    wakeAt: earliest(dues.flatMap((due) => (due !== null && "at" in due ? [due.at] : []))),
    wakeInMs,
    timers: edges.flatMap((edge) =>
      edge.kind === "sleep" && edge.begunAt === null ? [{ key: edge.key, due: edge.due }] : [],
    ),
    waits: [
      ...waits.flatMap((edge) => (edge.begunAt === null ? [toWait(edge, done)] : [])),
      ...people.map(({ key }): NewWait => ({ key, kind: "person", name: key, due: null })),
    ],
    branches,
    endedBranches: run.branches.flatMap(({ key, leased }) =>
      wanted.has(key) || (leased && done.undoable.has(key)) ? [] : [key],
    ),
    // Such as the one for more steps of a graph whose last gate is open.
    endedWaits: [...done.endedWaits, ...run.waits.flatMap(({ key }) => (open.has(key) ? [] : [key]))],
    // That a graph waits for more steps tells nobody how far it is.
    currentStep:
      (edges.find((edge) => edge.kind !== "wait" || edge.on !== "mutation") ?? edges[0])?.key ?? null,
  };
}

/** An at-most-once step and a transaction are noted before their body runs, which a branch's row can do. */
export function mustBeApart(edge: StepEdge): boolean {
  return edge.options.atMostOnce === true || edge.work.by === "transaction";
}

function toBranch({ key, askedAt, attempt, spent, due }: StepEdge): NewBranch {
  return { key, askedAt, attempt, spent, due };
}

function toWait({ key, on, name, due }: WaitEdge, { children }: Done): NewWait {
  return { key, kind: on, name: name ?? children.get(key)?.id ?? key, due };
}

/** What every decision starts from. Timers and waits of failed and dead runs stay: a revived run must not begin them anew. */
function blank(run: DecidingRun, done: Done): Omit<Decision, "status"> {
  const { tenant, runId, turn, deliveries, parent, verdict } = run;
  const { entries, entryBytes, consumed, effects, endedWaits, children } = done;
  const endedTimers = entries.flatMap((entry) =>
    entry.kind === "sleep" && entry.key !== null ? [entry.key] : [],
  );
  const starts = [...children.values()].map((child): Effect => ({ kind: "start", run: child }));
  const nothing = {
    wakeAt: null,
    wakeInMs: null,
    timers: [],
    waits: [],
    branches: [],
    endedBranches: [],
    currentStep: entries.at(-1)?.key ?? null,
    output: null,
    failure: null,
    successor: null,
  };
  return {
    tenant,
    runId,
    turn,
    // I4: as if it had arrived just now.
    deliveries: done.isCut ? -1 : deliveries,
    entries,
    entryBytes,
    endedTimers,
    endedWaits,
    consumed,
    effects: [...effects, ...starts],
    verdict,
    failedCompensations: run.failedCompensations + done.failedCompensations,
    parent,
    ...nothing,
  };
}

function keysOf(timers: readonly Timer[]): string[] {
  return timers.map(({ key }) => key);
}

function earliest(times: readonly number[]): number | null {
  return times.length === 0 ? null : Math.min(...times);
}
