/**
 * One turn, in an invocation of its own: replay the run to where its journal ends, take what has arrived,
 * perform at most one step, look ahead, decide. Reads nothing but what was too much for the claim, and writes nothing
 * but lease renewals and what a step of the platform does; the dispatcher commits.
 *
 * If the invocation dies on any line here, the lease runs out and the sweep takes the run back.
 */
import { decode } from "../engine/codec.ts";
import {
  type Decision,
  decide,
  decideCompensating,
  decideContinued,
  decideDead,
  decideUndone,
  encodeOutput,
  mustBeApart,
} from "../engine/decide.ts";
import { isDue, type Plan, type StepEdge } from "../engine/edge.ts";
import { DeadlineExceeded, LeaseLost } from "../engine/errors.ts";
import { toFailure } from "../engine/failure.ts";
import { nextCompensation } from "../engine/plan/compensation.ts";
import { Replay } from "../engine/plan/replay.ts";
import type { ClaimedRun, NewRun, Verdict } from "../engine/run.ts";
import type { AnyWorkflow } from "../engine/workflow.ts";
import { Absorption } from "./absorb.ts";
import { turnLease } from "./lease.ts";
import { performStep } from "./perform-step.ts";
import { workOf } from "./platform.ts";
import { readJournal } from "./read-journal.ts";
import type { Runtime } from "./runtime.ts";
import { TurnRecord } from "./turn-record.ts";

/** A claimed run on its way to its own invocation. */
export interface LeasedTurn {
  readonly run: ClaimedRun;
  /** By this worker's clock, a lower bound of when the lease runs out. */
  readonly leaseUntil: number;
}

/**
 * What the turn decided, or null when its lease was lost and there is nothing to write. `cold`: the function that rested
 * here was of no use; the turn is to be taken again, in an invocation of its own.
 */
export async function takeTurn(
  runtime: Runtime,
  { run, leaseUntil }: LeasedTurn,
): Promise<Decision | null | "cold"> {
  let workflow: AnyWorkflow;
  try {
    workflow = runtime.registry.find(run.workflow, run.version);
  } catch (error) {
    return decideDead(run, error);
  }
  const warm = runtime.warmRuns?.take(run) ?? null;
  const known = warm === null ? await withJournal(runtime, run) : run;
  if (known === null) return null;
  const planner = warm ?? new Replay(workflow, known, runtime.clock.rest, runtime.hooks);
  const turn = new Turn(runtime, known, planner, warm !== null);
  try {
    await turn.begin();
    await turn.absorb();
    // A claim that took longer than its lease: somebody else may hold the run by now.
    if (runtime.clock.now() >= leaseUntil) return null;
    await turn.performStep();
    return await turn.decide();
  } catch (error) {
    if (error instanceof LeaseLost) return null;
    if (error instanceof Unfit) return "cold";
    throw error;
  }
}

/** The run with its whole journal; null when the turn is no longer the run's. */
async function withJournal(runtime: Runtime, run: ClaimedRun): Promise<ClaimedRun | null> {
  if (!run.partial) return run;
  const journal = await readJournal(runtime, run, { turn: run.turn });
  return journal === null ? null : { ...run, journal, partial: false };
}

/** A function that went on from another invocation used what belonged to that one. */
class Unfit extends Error {}

/** How workerd refuses the use of a connection, a stream or a timer of another invocation. */
const FOREIGN = /on behalf of a different request/;

class Turn {
  private readonly runtime: Runtime;
  private readonly run: ClaimedRun;
  private readonly planner: Replay;
  private readonly isWarm: boolean;
  private readonly record: TurnRecord;
  private readonly absorption: Absorption;
  private plan: Plan = { state: "resting", edges: [] };
  /** Set once the run is to fail or to be cancelled: then it only undoes what it did. */
  private verdict: Verdict | null;
  /** The run that goes on in this one's place. */
  private successor: NewRun | null = null;

  constructor(runtime: Runtime, run: ClaimedRun, planner: Replay, isWarm: boolean) {
    this.runtime = runtime;
    this.run = run;
    this.planner = planner;
    this.isWarm = isWarm;
    this.record = new TurnRecord(run, runtime.settings.turnBytes);
    this.absorption = new Absorption(runtime, run, planner, this.record);
    this.verdict = run.verdict;
  }

  async begin(): Promise<void> {
    this.plan = this.isWarm
      ? this.planner.resume(this.run)
      : await this.planner.start(decode(this.run.input));
  }

  /** Takes what needs no invocation: what has arrived, times that are over, values, effects. */
  async absorb(): Promise<void> {
    if (this.verdict === null) this.plan = await this.absorption.absorb(this.plan);
    await this.judge();
    if (this.verdict !== null) await this.absorption.absorbBranches();
  }

  /**
   * The step that is due, when it is the only thing the run waits for; or the next compensator. No body sees a value
   * that is not journaled: its effect could not be taken back when this turn is lost and the next one finds another.
   */
  async performStep(): Promise<void> {
    // What waits in the inbox may be what came of that very step.
    if (this.isDead() || this.record.found || this.record.isCut) return;
    if (this.verdict !== null) return this.compensate();
    if (this.plan.state !== "resting" || this.plan.edges.length !== 1) return;
    const [edge] = this.plan.edges;
    if (edge?.kind !== "step" || edge.unknown || mustBeApart(edge) || !isDue(edge, this.run.now)) return;
    if (this.run.branches.some(({ key }) => key === edge.key)) return;
    try {
      await this.perform(edge);
    } catch (error) {
      if (!(error instanceof DeadlineExceeded)) throw error;
      this.verdict = failed(error);
    }
    await this.absorb();
  }

  async decide(): Promise<Decision> {
    const { run, plan, record } = this;
    if (this.absorption.death !== undefined) return decideDead(run, this.absorption.death, record.done);
    if (plan.state === "stuck") return decideDead(run, plan.error, record.done);
    if (this.verdict !== null) return this.decideVerdict(this.verdict);
    if (plan.state === "resting" && !record.retries) {
      this.runtime.warmRuns?.keep(run, record.lastSeq, record.journalBytes, this.planner);
    }
    for (const { key } of run.branches) if (this.planner.canUndo(key)) record.undoable.add(key);
    if (this.successor !== null) return decideContinued(run, this.successor, record.done);
    return decide(run, plan, record.done);
  }

  private isDead(): boolean {
    return this.plan.state === "stuck" || this.absorption.death !== undefined;
  }

  /** The run's verdict, where the plan, what it ends with, or the time gives one. */
  private async judge(): Promise<void> {
    const { plan, run, absorption } = this;
    if (this.verdict !== null) return;
    try {
      if (plan.state === "threw") throw plan.thrown;
      if (plan.state === "finished") encodeOutput(run, plan.output);
      if (plan.state === "continued") this.successor = await absorption.toSuccessor(plan.input);
      const { deadlineAt, now } = run;
      if (plan.state === "resting" && deadlineAt !== null && now >= deadlineAt) {
        throw new DeadlineExceeded(deadlineAt);
      }
      if (plan.state === "resting") this.record.checkSize();
    } catch (error) {
      this.verdict = failed(error);
    }
  }

  /** A step that can be undone and is under way must be waited for: it may be done. */
  private isUnderWay(): boolean {
    const { run, record, planner } = this;
    return run.branches.some(({ key, leased }) => leased && !record.settled.has(key) && planner.canUndo(key));
  }

  private hasUndone(): boolean {
    const { planner, record } = this;
    return planner.reading.compensated.size > 0 || record.entries.some(({ kind }) => kind === "compensation");
  }

  private nextCompensation(): StepEdge | null {
    const { planner, record } = this;
    return nextCompensation(planner.undoable, planner.reading, record.settled);
  }

  private async compensate(): Promise<void> {
    const next = this.isUnderWay() ? null : this.nextCompensation();
    // The turn that found the verdict may have performed a step already.
    const performed = this.record.performed;
    if (next !== null && !performed && isDue(next, this.run.now)) await this.perform(next);
  }

  private decideVerdict(verdict: Verdict): Decision {
    const { run, record } = this;
    const next = this.nextCompensation();
    if (this.isUnderWay() || record.isCut) return decideCompensating(run, verdict, record.done, null);
    if (next === null) {
      const begun = run.branches.find(({ key }) => !record.settled.has(key) && this.planner.canUndo(key));
      // It was idle at the claim, and may have begun since: from this commit on it cannot, and the next turn sees it.
      if (begun !== undefined)
        return decideCompensating(run, verdict, record.done, { key: begun.key, due: null });
      const undid = verdict.status === "cancelled" ? run.verdict !== null : this.hasUndone();
      return decideUndone(run, verdict, undid, record.done);
    }
    const due = record.retryOf(next.key) ?? next.due;
    return decideCompensating(run, verdict, record.done, { key: next.key, due });
  }

  private async perform(edge: StepEdge): Promise<void> {
    const { runtime, planner, record, run } = this;
    const { work, attempt, key } = edge;
    record.performed = true;
    const lease = turnLease(runtime, run, run.turn);
    const perform = workOf(runtime, run, work);
    // What is undone is undone also after the deadline.
    const held = edge.entry === "compensation" ? { ...run, deadlineAt: null } : run;
    const given = await planner.during(key, () => performStep(runtime, held, edge, lease, perform));
    const { tookMs } = given;
    if (this.isWarm && given.outcome === "failed" && FOREIGN.test(given.failure.message)) throw new Unfit();
    if (given.outcome === "failed" && given.retryInMs !== null) {
      const { failure, retryInMs } = given;
      record.append(edge.entry, key, { outcome: "retrying", attempt, failure, retryInMs, tookMs });
      if (edge.entry === "compensation") return;
      const attempts = {
        kind: edge.entry,
        unknown: false,
        last: attempt,
        spent: edge.spent + 1,
        retryAt: null,
      };
      this.plan = planner.retrying(key, attempts, { inMs: retryInMs });
      return;
    }
    const { outcome } = given;
    const what = given.outcome === "completed" ? { output: given.output } : { failure: given.failure };
    const entry = record.append(edge.entry, key, { outcome, attempt, ...what, tookMs });
    if (edge.entry !== "compensation") this.plan = await planner.deliver(entry);
  }
}

function failed(error: unknown): Verdict {
  return { status: "failed", failure: toFailure(error) };
}
