import type { Edge, Plan, StepEdge, When } from "../edge.ts";
import { InvalidStep, type JournalMismatch, WorkflowStalled } from "../errors.ts";
import { type Attempts, type Reading, readJournal, type Settled } from "../journal.ts";
import type { Addresses } from "../platform.ts";
import type { ClaimedRun, RunRef } from "../run.ts";
import type { AnyWorkflow, Workflow } from "../workflow.ts";
import { type Ask, type Compensator, entryKindOf, type MapAsk } from "./ask.ts";
import { checkName } from "./checks.ts";
import { edgesOf, itemEdge, type Standing, stepEdge } from "./edges.ts";
import { runFacts } from "./facts.ts";
import { itemOf } from "./map.ts";
import { errorOf, outputOf } from "./outcome.ts";
import { Recorded } from "./recorded.ts";
import type { Rest } from "./rest.ts";
import { stepsOf } from "./steps.ts";

/** What the function asked for and has not been given. */
interface Pending {
  readonly ask: Ask;
  /** The journal's last entry that the function had been handed. */
  readonly askedAt: number;
  resolve(value: unknown): void;
  reject(error: unknown): void;
}

/** A step that is done and says how it is undone. */
export interface Undoable {
  readonly key: string;
  readonly compensate: Compensator;
  readonly output: unknown;
}

type Ending = Extract<Plan, { readonly state: "finished" | "continued" | "threw" }>;

/** How often code that waits for nothing is given grace before it counts as stalled. */
const GRACES = 50;

export class Replay {
  /** What the function has done that can be undone, in the order in which it was done. */
  readonly undoable: Undoable[] = [];
  reading: Reading;
  private readonly workflow: AnyWorkflow;
  private run: ClaimedRun;
  private readonly rest: Rest;
  private readonly addresses: Addresses;
  private standing: Standing;
  private readonly recorded: Recorded;
  private readonly pending = new Map<string, Pending>();
  private readonly maps = new Map<string, MapAsk>();
  private readonly reached = new Set<string>();
  private readonly uses = new Map<string, number>();
  private ending: Ending | undefined;
  private mismatch: JournalMismatch | null = null;
  private performing: string | undefined;
  private handed = 0;
  /** True when the function was handed something since it last came to rest. */
  private stirred = true;
  /** Set by `retrying`: attempts of this very turn, which the journal that was read does not hold. */
  private readonly retries = new Map<string, Attempts & { readonly due: When | null }>();

  constructor(workflow: AnyWorkflow, run: ClaimedRun, rest: Rest, addresses: Addresses) {
    this.workflow = workflow;
    this.run = run;
    this.rest = rest;
    this.addresses = addresses;
    this.reading = readJournal(run.journal);
    this.standing = this.standingOf(run);
    this.recorded = new Recorded(run, this.reading);
  }

  /** Runs the function up to where the journal ends. */
  async start(input: unknown): Promise<Plan> {
    this.call(input);
    for (const entry of this.reading.settled) {
      if (!(await this.awaits(entry.key))) break;
      this.handOver(entry);
    }
    await this.comeToRest();
    return this.plan();
  }

  /** Goes on in the turn that follows on the last one of this very function, which still rests where that one left it. */
  resume(run: ClaimedRun): Plan {
    this.run = run;
    this.standing = this.standingOf(run);
    return this.plan();
  }

  /** True for the claim of the turn that follows directly on the last one of this very function. */
  precedes(run: ClaimedRun): boolean {
    return this.isOf(run) && run.turn === this.run.turn + 1;
  }

  /** True for the run whose function this is. */
  isOf({ tenant, runId }: RunRef): boolean {
    return tenant === this.run.tenant && runId === this.run.runId;
  }

  /** Lets go of what only a replay needs, while the function rests until `resume`. */
  shed(): void {
    this.run = { ...this.run, input: { json: null, meta: null }, journal: [], inbox: [] };
    this.reading = { ...this.reading, settled: [] };
  }

  /** Hands over an outcome of this very turn, and looks ahead. */
  async deliver(entry: Settled): Promise<Plan> {
    this.handOver(entry);
    await this.comeToRest();
    return this.plan();
  }

  /** Notes that an attempt made in this turn failed and will be followed by another, or by a person's word. */
  retrying(key: string, attempts: Attempts, due: When | null): Plan {
    this.retries.set(key, { ...attempts, due });
    return this.plan();
  }

  /** What the function waits for, also when it has ended already. */
  openEdges(): Edge[] {
    return [...this.pending.values()].flatMap(({ ask, askedAt }) => edgesOf(ask, askedAt, this.standing));
  }

  /**
   * The step of this key that has no outcome yet; undefined where the function asked for none. It may be an item that
   * its map has not come to at this point of the journal, or one of a map that has failed by another.
   */
  openStep(key: string): StepEdge | undefined {
    const pending = this.pending.get(key);
    if (pending?.ask.kind === "step") return stepEdge(pending.ask, pending.askedAt, this.standing);
    const item = itemOf(key);
    const map = item === null ? undefined : this.maps.get(item.map);
    if (item === null || map === undefined || !map.progress.isOpen(item.index)) return undefined;
    const askedAt = this.pending.get(map.key)?.askedAt ?? this.handed;
    return itemEdge(map, item.index, askedAt, this.standing);
  }

  /** True for a step that says how it is undone. */
  canUndo(key: string): boolean {
    const ask = this.pending.get(key)?.ask ?? this.maps.get(itemOf(key)?.map ?? "");
    return (ask?.kind === "step" || ask?.kind === "map") && ask.compensate !== undefined;
  }

  /** Runs a step body; meanwhile the workflow rests, so a step call can only come from inside that body. */
  async during<T>(key: string, perform: () => Promise<T>): Promise<T> {
    this.performing = key;
    try {
      return await perform();
    } finally {
      this.performing = undefined;
    }
  }

  private call(input: unknown): void {
    const context = {
      input,
      step: stepsOf(
        this.run,
        (name, make) => this.ask(name, make),
        this.addresses,
        (next) => {
          this.ending ??= { state: "continued", input: next };
        },
        (key) => void this.pending.delete(key),
      ),
      run: runFacts(this.run, this.reading, (name, make) => this.ask(name, make)),
    };
    const { run } = this.workflow as Workflow;
    // `then` first: a function that throws before its first await must not throw here.
    Promise.resolve()
      .then(() => run(context))
      .then(
        (output) => {
          this.ending ??= { state: "finished", output };
        },
        (thrown: unknown) => {
          this.ending ??= { state: "threw", thrown };
        },
      );
  }

  /**
   * Lets the function run until it waits for `key`. False when it never does.
   *
   * It comes to rest before every outcome, as it did when the outcome was new: even with nothing else
   * pending, a fork that awaits no step may still be under way, and what it does next may matter. Of a map
   * the function sees nothing until its last item.
   */
  private async awaits(key: string): Promise<boolean> {
    if (this.stirred || !this.isInsideMap(key)) await this.comeToRest();
    return this.mismatch === null && this.isReached(key);
  }

  private handOver(entry: Settled): void {
    this.handed = entry.seq;
    const item = itemOf(entry.key);
    const map = item === null ? undefined : this.maps.get(item.map);
    if (item !== null && map !== undefined) {
      this.handOverItem(map, item.index, entry);
      return;
    }
    const pending = this.pending.get(entry.key);
    if (pending === undefined) return;
    this.pending.delete(entry.key);
    this.stirred = true;
    const { ask } = pending;
    if (entry.outcome === "timed_out") pending.resolve((ask.kind === "wait" ? ask.lapsed : null) ?? null);
    else if (entry.outcome === "completed") {
      const output = outputOf(entry);
      if (ask.kind === "step") this.noteUndoable(entry.key, ask.compensate, output);
      pending.resolve(ask.kind === "instant" && ask.restore ? ask.restore(entry) : output);
    } else pending.reject(errorOf(entry));
  }

  private handOverItem(map: MapAsk, index: number, entry: Settled): void {
    const { progress } = map;
    if (entry.outcome === "completed") {
      const value = outputOf(entry);
      this.noteUndoable(entry.key, map.compensate, value);
      progress.settle(index, { status: "fulfilled", value });
    } else progress.settle(index, { status: "rejected", reason: errorOf(entry) });
    const pending = this.pending.get(map.key);
    if (pending === undefined || !(progress.isBroken || progress.isOver)) return;
    this.stirred = true;
    if (progress.isBroken) pending.reject(errorOf(entry));
    else pending.resolve(progress.output);
    this.pending.delete(map.key);
  }

  private noteUndoable(key: string, compensate: Compensator | undefined, output: unknown): void {
    if (compensate !== undefined) this.undoable.push({ key, compensate, output });
  }

  /** With nothing pending, the code can only be awaiting something that is not a step: give that some time. */
  private async comeToRest(): Promise<void> {
    this.stirred = false;
    await this.rest.settled();
    for (let i = 0; i < GRACES && this.isStalled(); i++) await this.rest.grace();
  }

  private plan(): Plan {
    const lastCall = this.workflow.lastCall?.();
    const open = () => [...this.pending.keys()];
    const error = this.mismatch ?? this.recorded.missing(this.isReached, open, lastCall);
    if (error !== null) return { state: "stuck", error };
    if (this.ending !== undefined) return this.ending;
    if (this.pending.size === 0) {
      return { state: "stuck", error: new WorkflowStalled(this.workflow.name, lastCall) };
    }
    return { state: "resting", edges: this.openEdges() };
  }

  private standingOf(run: ClaimedRun): Standing {
    return {
      timers: new Map(run.timers.map((timer) => [timer.key, timer])),
      waits: new Map(run.waits.map((wait) => [wait.key, wait])),
      attemptsOf: (key) => {
        const before = this.retries.get(key) ?? this.reading.attempts.get(key);
        if (before === undefined) return undefined;
        return { due: before.retryAt === null ? null : { at: before.retryAt }, ...before };
      },
    };
  }

  private isStalled(): boolean {
    return this.ending === undefined && this.mismatch === null && this.pending.size === 0;
  }

  private readonly isReached = (key: string): boolean => {
    if (this.reached.has(key)) return true;
    const item = itemOf(key);
    const map = item === null ? undefined : this.maps.get(item.map);
    return item !== null && map !== undefined && item.index < map.progress.size;
  };

  private isInsideMap(key: string): boolean {
    const item = itemOf(key);
    const progress = item === null ? undefined : this.maps.get(item.map)?.progress;
    return progress !== undefined && !progress.isOver && !progress.isBroken;
  }

  /** Notes what the function asks for; `make` checks it and throws what the call is to reject with. */
  private ask<T>(name: string, make: (key: string) => Ask): Promise<T> {
    let ask: Ask;
    try {
      checkName(name);
      if (this.performing !== undefined) {
        throw new InvalidStep(
          `Step "${name}" was called while step "${this.performing}" ran: inside its body, or by code that awaits ` +
            "something other than a step. Call it after, and wrap timers and I/O in step.run.",
        );
      }
      const use = (this.uses.get(name) ?? 0) + 1;
      ask = make(use === 1 ? name : `${name}#${use}`);
      this.uses.set(name, use);
    } catch (error) {
      return Promise.reject(error);
    }
    this.reached.add(ask.key);
    const clash = this.recorded.clash(ask.key, ask.kind === "map" ? "map" : entryKindOf(ask));
    if (clash !== null) {
      this.mismatch ??= clash;
      return new Promise<never>(() => {});
    }
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    // A branch that loses a race may fail with nobody listening: that is not an unhandled rejection.
    promise.catch(() => {});
    const pending = { ask, askedAt: this.handed, resolve: resolve as (value: unknown) => void, reject };
    if (ask.kind === "map") {
      this.maps.set(ask.key, ask);
      if (ask.progress.isOver) {
        resolve(ask.progress.output as T);
        return promise;
      }
    }
    this.pending.set(ask.key, pending);
    return promise;
  }
}
