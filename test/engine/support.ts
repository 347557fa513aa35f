/**
 * A run that lives in memory: turn by turn it replays, performs one step that the test chooses, and writes
 * what `decide` says, with every value going through JSON text as it would through Postgres.
 */
import { decode, type Encoded, encode } from "../../src/engine/codec.ts";
import { type Decision, decide } from "../../src/engine/decide.ts";
import { type Edge, isDue, type Plan, type StepEdge, type When } from "../../src/engine/edge.ts";
import { type Failure, toFailure } from "../../src/engine/errors.ts";
import type { Entry, NewEntry, Timer } from "../../src/engine/journal.ts";
import { Replay, type Rest } from "../../src/engine/plan/replay.ts";
import { nextRetryMs } from "../../src/engine/retry.ts";
import type { ClaimedRun } from "../../src/engine/run.ts";
import { type AnyWorkflow, defineWorkflow, type Steps, type Workflow } from "../../src/engine/workflow.ts";

/** Noon, so that nothing starts at zero. */
export const NOON = Date.UTC(2026, 0, 1, 12);

const turnOfTheLoop = () => new Promise<void>((resolve) => void setImmediate(resolve));

/** Rests without real time: a turn of the event loop comes after every microtask. */
export const rest: Rest = { settled: turnOfTheLoop, grace: turnOfTheLoop };

/** Lets `count` microtasks pass: what code does that awaits something other than a step. */
export async function wander(count: number): Promise<void> {
  for (let i = 0; i < count; i++) await null;
}

/** A workflow without the ceremony. */
export function workflowOf<T>(run: (step: Steps, input: unknown) => Promise<T>): Workflow<unknown, T> {
  return defineWorkflow({ name: "test" }, ({ step, input }) => run(step, input));
}

export function claimedRun(changes: Partial<ClaimedRun> = {}): ClaimedRun {
  return {
    tenant: "default",
    runId: "run-1",
    workflow: "test",
    version: 1,
    turn: 1,
    input: { json: null, meta: null },
    tags: [],
    now: NOON,
    startedAt: NOON,
    deadlineAt: null,
    deliveries: 0,
    journal: [],
    timers: [],
    ...changes,
  };
}

export function entryOf(changes: Partial<Entry> = {}): Entry {
  return {
    seq: 1,
    kind: "step",
    key: "a",
    outcome: "completed",
    attempt: 1,
    output: null,
    failure: null,
    retryAt: null,
    ...changes,
  };
}

export const failureOf = (message: string): Failure => ({ code: "error", name: "Error", message });

/** What Postgres gives back for a value: its keys in jsonb's order, and no object shared with anybody. */
export function stored<T>(value: T): T {
  return JSON.parse(JSON.stringify(value), (_key, item: unknown) =>
    typeof item === "object" && item !== null && !Array.isArray(item) ? inJsonbOrder(item) : item,
  ) as T;
}

function inJsonbOrder(value: object): object {
  const bytes = (key: string) => Buffer.from(key, "utf8");
  const keys = Object.keys(value).sort(
    (a, b) => bytes(a).length - bytes(b).length || bytes(a).compare(bytes(b)),
  );
  const sorted = {};
  for (const key of keys) {
    const field = Object.getOwnPropertyDescriptor(value, key);
    if (field !== undefined) Object.defineProperty(sorted, key, field);
  }
  return sorted;
}

/** Picks which of the due steps this turn performs. */
export type Choice = (edges: readonly StepEdge[]) => StepEdge | undefined;

const first: Choice = (edges) => edges[0];

export class SimulatedRun {
  /** The code of this deployment: a test may put another in its place between two turns. */
  workflow: AnyWorkflow;
  journal: Entry[] = [];
  timers: Timer[] = [];
  now = NOON;
  turns = 0;
  /** The keys of the steps whose bodies ran, in that order. */
  readonly performed: string[] = [];
  last: Decision | undefined;
  private readonly input: Encoded;
  private readonly choose: Choice;

  constructor(workflow: AnyWorkflow, input: unknown = null, choose: Choice = first) {
    this.workflow = workflow;
    this.input = encode(input, "The input");
    this.choose = choose;
  }

  /** The run as a claim would read it. */
  get claim(): ClaimedRun {
    const { turns: turn, now, journal, timers, input } = this;
    return stored(claimedRun({ turn, now, journal, timers, input }));
  }

  /** What the code asks for, given the journal; performs and writes nothing. */
  async plan(): Promise<Plan> {
    return new Replay(this.workflow, this.claim, rest).start(inputOf(this.claim));
  }

  /** Claims, replays, performs at most one step, commits. */
  async turn(): Promise<Decision> {
    this.turns += 1;
    const run = this.claim;
    const replay = new Replay(this.workflow, run, rest);
    const entries: NewEntry[] = [];
    const append = (edge: Edge, changes: Partial<NewEntry>): NewEntry & { key: string } => {
      const seq = (this.journal.at(-1)?.seq ?? 0) + entries.length + 1;
      const { retryAt: _, ...blank } = entryOf({ seq, kind: edge.kind, key: edge.key });
      const entry = { ...blank, retryInMs: null, tookMs: 0, ...changes, key: edge.key };
      entries.push(entry);
      return entry;
    };
    let plan = await replay.start(inputOf(run));
    for (;;) {
      const edges = edgesOf(plan);
      const over = edges.find(
        (edge) => edge.kind === "sleep" && edge.begunAt !== null && isDue(edge, run.now),
      );
      if (over === undefined) break;
      plan = await replay.deliver({ ...append(over, {}), retryAt: null });
    }
    const edges = edgesOf(plan);
    const due = edges.filter((edge): edge is StepEdge => edge.kind === "step" && isDue(edge, run.now));
    const edge = this.choose(due);
    if (edge !== undefined) {
      this.performed.push(edge.key);
      const { attempt } = edge;
      try {
        const given = await replay.during(edge.key, async () => edge.body(contextOf(run, edge)));
        const output = given === undefined ? null : encode(given, `The output of step "${edge.key}"`);
        plan = await replay.deliver({ ...append(edge, { attempt, output }), retryAt: null });
      } catch (thrown) {
        const failure = toFailure(thrown);
        const retryInMs = nextRetryMs(edge.options.retry, edge.spent + 1, thrown, edge.key, run.now);
        if (retryInMs === null) {
          const failed = append(edge, { outcome: "failed", attempt, failure });
          plan = await replay.deliver({ ...failed, retryAt: null });
        } else {
          append(edge, { outcome: "retrying", attempt, failure, retryInMs });
          const attempts = { kind: edge.kind, last: attempt, spent: edge.spent + 1, retryAt: null };
          plan = replay.retrying(edge.key, attempts, { inMs: retryInMs });
        }
      }
    }
    const decision = decide(run, plan, entries);
    this.commit(decision);
    return decision;
  }

  /** Takes turns until the run is over, moving the clock to whatever it waits for. */
  async finish(limit = 200): Promise<Decision> {
    for (let i = 0; i < limit; i++) {
      const decision = await this.turn();
      if (decision.status !== "ready" && decision.status !== "waiting") return decision;
      const wakeAt = Math.min(decision.wakeAt ?? Infinity, this.now + (decision.wakeInMs ?? Infinity));
      this.now = Math.max(this.now, wakeAt);
    }
    throw new Error(`The run was not over after ${limit} turns.`);
  }

  /** What a person's revive writes. */
  revive(): void {
    const seq = (this.journal.at(-1)?.seq ?? 0) + 1;
    const failure = this.last?.failure ?? null;
    this.journal.push(entryOf({ seq, kind: "revival", key: null, outcome: "revived", failure }));
  }

  private commit(decision: Decision): void {
    this.last = decision;
    for (const { retryInMs, tookMs: _, ...entry } of decision.entries) {
      this.journal.push({ ...entry, retryAt: retryInMs === null ? null : this.now + retryInMs });
      this.timers = this.timers.filter((timer) => timer.key !== entry.key);
    }
    this.timers.push(
      ...decision.timers.map(({ key, due }) => ({ key, begunAt: this.now, dueAt: this.instantOf(due) })),
    );
  }

  private instantOf(due: When): number {
    return "at" in due ? due.at : this.now + due.inMs;
  }
}

/** Runs a workflow from start to end. */
export async function simulate(workflow: AnyWorkflow, input?: unknown, choose?: Choice) {
  const run = new SimulatedRun(workflow, input, choose);
  return { decision: await run.finish(), run };
}

export function edgesOf(plan: Plan): readonly Edge[] {
  return plan.state === "resting" ? plan.edges : [];
}

function inputOf(run: ClaimedRun): unknown {
  return decode(run.input);
}

function contextOf(run: ClaimedRun, edge: StepEdge) {
  return {
    idempotencyKey: `${run.runId}:${edge.key}`,
    attempt: edge.attempt,
    signal: new AbortController().signal,
    heartbeat: async () => {},
  };
}
