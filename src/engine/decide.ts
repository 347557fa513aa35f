/**
 * What to write at the end of a turn. Pure: a turn's facts in, a `Decision` out.
 *
 * I3: only `completed`, `failed` and `dead` are decided here, once, from a run that was running.
 */
import { type Encoded, encode } from "./codec.ts";
import type { Edge, Plan, When } from "./edge.ts";
import { type Failure, toFailure } from "./errors.ts";
import type { NewEntry } from "./journal.ts";
import type { ClaimedRun, RunRef, RunStatus } from "./run.ts";

/** A sleep that begins with this commit. */
export interface NewTimer {
  readonly key: string;
  readonly due: When;
}

/** What one turn writes: all of it or, when the turn has moved on (I2), nothing. */
export interface Decision extends RunRef {
  readonly turn: number;
  readonly status: Exclude<RunStatus, "running" | "cancelled">;
  /** For `ready` and `waiting`: the run is due at the earlier of the two. */
  readonly wakeAt: number | null;
  readonly wakeInMs: number | null;
  /** I4: when more has been delivered since, the run stays `ready`. */
  readonly deliveries: number;
  readonly entries: readonly NewEntry[];
  readonly timers: readonly NewTimer[];
  /** Keys of timers that are over, or that nobody will wait for any more. */
  readonly endedTimers: readonly string[];
  /** What the run waits for, or did last; null leaves what is known. */
  readonly currentStep: string | null;
  readonly output: Encoded | null;
  readonly failure: Failure | null;
}

type Turn = Pick<ClaimedRun, "tenant" | "runId" | "turn" | "deliveries" | "workflow" | "timers">;

/** The decision that follows from a plan and what this turn adds to the journal. */
export function decide(run: Turn, plan: Plan, entries: readonly NewEntry[]): Decision {
  switch (plan.state) {
    case "finished":
      return finish(run, plan.output, entries);
    case "threw":
      return { ...blank(run, entries), status: "failed", failure: toFailure(plan.thrown) };
    case "stuck":
      return decideDead(run, plan.error, entries);
    case "resting":
      return park(run, plan.edges, entries);
  }
}

/** The platform gives up on the run until a person revives it. */
export function decideDead(run: Turn, error: Error, entries: readonly NewEntry[] = []): Decision {
  return { ...blank(run, entries), status: "dead", failure: toFailure(error) };
}

/** The run's verdict is a failure that did not come from its code, such as a missed deadline. */
export function decideFailed(run: Turn, error: Error, entries: readonly NewEntry[] = []): Decision {
  return { ...blank(run, entries), status: "failed", failure: toFailure(error) };
}

function finish(run: Turn, output: unknown, entries: readonly NewEntry[]): Decision {
  try {
    const encoded = output === undefined ? null : encode(output, `The output of workflow "${run.workflow}"`);
    return {
      ...blank(run, entries),
      status: "completed",
      output: encoded,
      endedTimers: run.timers.map((timer) => timer.key),
    };
  } catch (error) {
    return { ...blank(run, entries), status: "failed", failure: toFailure(error) };
  }
}

function park(run: Turn, edges: readonly Edge[], entries: readonly NewEntry[]): Decision {
  const dues = edges.map((edge): When => edge.due ?? { inMs: 0 });
  const wakeInMs = earliest(dues.flatMap((due) => ("inMs" in due ? [due.inMs] : [])));
  return {
    ...blank(run, entries),
    status: wakeInMs === 0 ? "ready" : "waiting",
    wakeAt: earliest(dues.flatMap((due) => ("at" in due ? [due.at] : []))),
    wakeInMs,
    timers: edges.flatMap((edge) =>
      edge.kind === "sleep" && edge.begunAt === null ? [{ key: edge.key, due: edge.due }] : [],
    ),
    currentStep: edges[0]?.key ?? null,
  };
}

/** What every decision starts from. Timers of failed and dead runs stay: a revived run must not sleep again from the start. */
function blank(run: Turn, entries: readonly NewEntry[]): Omit<Decision, "status"> {
  const { tenant, runId, turn, deliveries } = run;
  const endedTimers = entries.flatMap((entry) =>
    entry.kind === "sleep" && entry.key !== null ? [entry.key] : [],
  );
  const nothing = {
    wakeAt: null,
    wakeInMs: null,
    timers: [],
    currentStep: entries.at(-1)?.key ?? null,
    output: null,
    failure: null,
  };
  return { tenant, runId, turn, deliveries, entries, endedTimers, ...nothing };
}

function earliest(times: readonly number[]): number | null {
  return times.length === 0 ? null : Math.min(...times);
}
