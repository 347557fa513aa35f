/**
 * One turn, in an invocation of its own: replay the run to where its journal ends, perform at most one
 * step, look ahead, decide. Reads and writes nothing but lease renewals; the dispatcher commits.
 *
 * If the invocation dies on any line here, the lease runs out and the sweep takes the run back.
 */
import { decode } from "../engine/codec.ts";
import { type Decision, decide, decideDead, decideFailed } from "../engine/decide.ts";
import { isDue, type Plan, type SleepEdge, type StepEdge } from "../engine/edge.ts";
import { DeadlineExceeded, LeaseLost } from "../engine/errors.ts";
import type { NewEntry, Settled } from "../engine/journal.ts";
import { Replay } from "../engine/plan/replay.ts";
import type { ClaimedRun } from "../engine/run.ts";
import type { AnyWorkflow } from "../engine/workflow.ts";
import { performStep, type StepRuntime } from "./perform-step.ts";
import type { Runtime } from "./runtime.ts";

/** A claimed run on its way to its own invocation. */
export interface LeasedTurn {
  readonly run: ClaimedRun;
  /** By this worker's clock, a lower bound of when the lease runs out. */
  readonly leaseUntil: number;
}

/** What the turn decided, or null when its lease was lost and there is nothing to write. */
export async function takeTurn(
  runtime: StepRuntime & Pick<Runtime, "registry">,
  { run, leaseUntil }: LeasedTurn,
): Promise<Decision | null> {
  if (run.deadlineAt !== null && run.now >= run.deadlineAt) {
    return decideFailed(run, new DeadlineExceeded(run.deadlineAt));
  }
  let workflow: AnyWorkflow;
  try {
    workflow = runtime.registry.find(run.workflow, run.version);
  } catch (error) {
    return decideDead(run, error as Error);
  }
  const turn = new Turn(runtime, run, new Replay(workflow, run, runtime.clock.rest));
  try {
    await turn.replay();
    await turn.endSleeps();
    // A claim that took longer than its lease: somebody else may hold the run by now.
    if (runtime.clock.now() >= leaseUntil) return null;
    await turn.performStep();
    return turn.decide();
  } catch (error) {
    if (error instanceof LeaseLost) return null;
    if (error instanceof DeadlineExceeded) return decideFailed(run, error, turn.entries);
    throw error;
  }
}

class Turn {
  readonly entries: NewEntry[] = [];
  private readonly runtime: StepRuntime;
  private readonly run: ClaimedRun;
  private readonly planner: Replay;
  private plan: Plan = { state: "resting", edges: [] };
  private seq: number;

  constructor(runtime: StepRuntime, run: ClaimedRun, planner: Replay) {
    this.runtime = runtime;
    this.run = run;
    this.planner = planner;
    this.seq = run.journal.at(-1)?.seq ?? 0;
  }

  async replay(): Promise<void> {
    this.plan = await this.planner.start(decode(this.run.input));
  }

  /** Sleeps whose time has come are journaled and handed over, the earliest first. */
  async endSleeps(): Promise<void> {
    for (let sleep = this.firstOver(); sleep !== undefined; sleep = this.firstOver()) {
      const entry = this.append(sleep, {
        outcome: "completed",
        attempt: 1,
        tookMs: this.run.now - (sleep.begunAt ?? this.run.now),
      });
      this.plan = await this.planner.deliver(entry);
    }
  }

  async performStep(): Promise<void> {
    const edge = this.edges().find((e): e is StepEdge => e.kind === "step" && isDue(e, this.run.now));
    if (edge === undefined) return;
    const given = await this.planner.during(edge.key, () => performStep(this.runtime, this.run, edge));
    const { attempt } = edge;
    if (given.outcome === "completed") {
      const { output, tookMs } = given;
      this.plan = await this.planner.deliver(
        this.append(edge, { outcome: "completed", attempt, output, tookMs }),
      );
      return;
    }
    const { failure, retryInMs, tookMs } = given;
    if (retryInMs === null) {
      this.plan = await this.planner.deliver(
        this.append(edge, { outcome: "failed", attempt, failure, tookMs }),
      );
      return;
    }
    this.append(edge, { outcome: "retrying", attempt, failure, retryInMs, tookMs });
    const attempts = { kind: edge.kind, last: attempt, spent: edge.spent + 1, retryAt: null };
    this.plan = this.planner.retrying(edge.key, attempts, { inMs: retryInMs });
  }

  decide(): Decision {
    return decide(this.run, this.plan, this.entries);
  }

  private edges() {
    return this.plan.state === "resting" ? this.plan.edges : [];
  }

  private firstOver(): SleepEdge | undefined {
    const over = this.edges().filter(
      (e): e is SleepEdge => e.kind === "sleep" && e.begunAt !== null && isDue(e, this.run.now),
    );
    return over.sort((a, b) => endOf(a) - endOf(b))[0];
  }

  private append(
    edge: SleepEdge | StepEdge,
    what: Pick<NewEntry, "outcome" | "attempt"> & Partial<NewEntry>,
  ): NewEntry & Settled {
    this.seq += 1;
    const nothing = { output: null, failure: null, retryInMs: null, retryAt: null, tookMs: 0 };
    const entry = { ...nothing, seq: this.seq, kind: edge.kind, key: edge.key, ...what, retryAt: null };
    this.entries.push(entry);
    return { ...entry, key: edge.key };
  }
}

function endOf(sleep: SleepEdge): number {
  return "at" in sleep.due ? sleep.due.at : 0;
}
