/** Ports in memory, for promises that are pure logic. A verb that a test does not give fails when it is called. */
import type { Bulks } from "../../src/engine/bulk.ts";
import type { Decision } from "../../src/engine/decide.ts";
import type { Agenda, Clock, DueRun, Store, WakeUps } from "../../src/engine/ports.ts";
import type { Reads } from "../../src/engine/reads.ts";
import type { ClaimedRun, Run } from "../../src/engine/run.ts";
import type { Timings } from "../../src/engine/timings.ts";
import { type AnyWorkflow, Registry } from "../../src/engine/workflow.ts";
import { Marks } from "../../src/runtime/marks.ts";
import type { Runtime } from "../../src/runtime/runtime.ts";
import { type LeasedTurn, takeTurn } from "../../src/runtime/take-turn.ts";
import { claimedRun, NOON, rest } from "../engine/builders.ts";

export const LEASE_MS = 30_000;

/** A clock that stands still until it is moved. */
export class TestClock implements Clock {
  readonly rest = rest;
  private time = 1_000_000;
  private sleepers: { readonly at: number; readonly wake: () => void }[] = [];

  now(): number {
    return this.time;
  }

  /** How many wait for a later time. */
  get asleep(): number {
    return this.sleepers.length;
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      if (signal?.aborted) return resolve();
      const sleeper = { at: this.time + ms, wake: resolve };
      this.sleepers.push(sleeper);
      signal?.addEventListener("abort", () => {
        this.sleepers = this.sleepers.filter((other) => other !== sleeper);
        resolve();
      });
    });
  }

  /** Moves on by `ms`, waking in order who sleeps until then, and letting each do what it does next. */
  async advance(ms: number): Promise<void> {
    const until = this.time + ms;
    await settle();
    for (;;) {
      const [next] = this.sleepers.filter(({ at }) => at <= until).sort((a, b) => a.at - b.at);
      if (next === undefined) break;
      this.sleepers = this.sleepers.filter((other) => other !== next);
      this.time = Math.max(this.time, next.at);
      next.wake();
      await settle();
    }
    this.time = until;
  }
}

/** A promise that the test settles. */
export function gate<T = void>() {
  return Promise.withResolvers<T>();
}

/** Lets everything run that can run without time passing. */
export async function settle(): Promise<void> {
  for (let i = 0; i < 10; i++) await rest.settled();
}

export interface TestRuntime extends Runtime {
  readonly clock: TestClock;
  /** Every wake-up that was sent. */
  readonly woken: DueRun[];
  /** What was told to the operator, as `what: message`. */
  readonly reports: string[];
}

export interface Given {
  readonly store?: Partial<Store>;
  readonly reads?: Partial<Reads>;
  readonly wakeUps?: Partial<WakeUps>;
  readonly agenda?: Agenda | null;
  readonly bulks?: Partial<Bulks>;
  readonly workflows?: readonly AnyWorkflow[];
}

export function runtimeOf({
  store = {},
  reads = {},
  wakeUps = {},
  agenda = null,
  bulks = {},
  workflows = [],
}: Given = {}): TestRuntime {
  const woken: DueRun[] = [];
  const reports: string[] = [];
  let ids = 0;
  return {
    store: only("store", store),
    reads: only("reads", reads),
    overview: only("overview", {}),
    history: only("history", {}),
    bulks: only("bulks", bulks),
    timings: only<Timings>("timings", { noteSweeps: async () => {} }),
    wakeUps: only("wake-ups", {
      send: async (due) => {
        woken.push(...due);
      },
      sendAgain: async (due) => {
        woken.push(...due);
      },
      ...wakeUps,
    }),
    agenda,
    marks: new Marks(),
    clock: new TestClock(),
    registry: new Registry(workflows),
    settings: {
      leaseMs: LEASE_MS,
      lostTurnLimit: 8,
      wakeUpGraceMs: 60_000,
      sweepHorizonMs: 120_000,
      sweepLimit: 3,
      turnBytes: 4_000_000,
      safetySweepMs: 3_600_000,
      messageRetentionMs: 1_000,
      eventRetentionMs: 1_000,
    },
    transactions: only("transactions", {}),
    warmRuns: null,
    warmBranches: null,
    deployment: "v7",
    sinks: [],
    hooks: {
      digest: (runId, key) => `${runId}/${key}`,
      digestToken: (token) => token,
      hookUrl: (runId, key) => `/hooks/${runId}/${key}`,
    },
    random: () => 0.5,
    uuid: () => "00000000-0000-4000-8000-000000000000",
    newRunId: () => `run-${++ids}`,
    report: (what, error) => void reports.push(`${what}: ${error instanceof Error ? error.message : error}`),
    woken,
    reports,
  };
}

function only<Port extends object>(name: string, given: Partial<Port>): Port {
  return new Proxy(given as Port, {
    get(verbs, verb) {
      if (verb in verbs) return Reflect.get(verbs, verb);
      return () => Promise.reject(new Error(`This test did not expect ${name}.${String(verb)}.`));
    },
  });
}

/** A claimed run and the time until which its lease holds for sure. */
export function leased(runtime: TestRuntime, changes: Partial<ClaimedRun> = {}) {
  return { run: claimedRun(changes), leaseUntil: runtime.clock.now() + LEASE_MS };
}

/** The claim of the turn that follows on `decision`, had it been committed `afterMs` ago. */
export function next(run: ClaimedRun, decision: Decision, afterMs = 0): ClaimedRun {
  const journal = decision.entries.map(({ retryInMs, tookMs: _, ...entry }) => ({
    ...entry,
    retryAt: retryInMs === null ? null : run.now + retryInMs,
  }));
  const begun = decision.timers.map(({ key, due }) => ({
    key,
    begunAt: run.now,
    dueAt: "at" in due ? due.at : run.now + due.inMs,
  }));
  const timers = [...run.timers, ...begun].filter(({ key }) => !decision.endedTimers.includes(key));
  return {
    ...run,
    turn: run.turn + 1,
    now: run.now + afterMs,
    journal: [...run.journal, ...journal],
    timers,
  };
}

export function runOf(changes: Partial<Run> = {}): Run {
  return {
    tenant: "default",
    runId: "run-1",
    workflow: "test",
    version: 1,
    status: "ready",
    turn: 0,
    lostTurns: 0,
    tags: [],
    idempotencyKey: null,
    currentStep: null,
    stepsDone: 0,
    createdAt: NOON,
    startedAt: null,
    wakeAt: NOON,
    leaseExpiresAt: null,
    deadlineAt: null,
    finishedAt: null,
    discardedAt: null,
    failure: null,
    phase: "forward",
    failedCompensations: 0,
    pausedAt: null,
    parent: null,
    continuedFrom: null,
    deployment: null,
    continuedTo: null,
    forkedFrom: null,
    ...changes,
  };
}

/** A turn with the whole journal at hand. */
export async function takeWhole(runtime: Runtime, turn: LeasedTurn): Promise<Decision | null> {
  const decision = await takeTurn(runtime, turn);
  if (decision === "cold") throw new Error("The turn lacks a part of its journal.");
  return decision;
}
