/**
 * Absorbing: what a turn does before and after its step, and what needs no invocation of its own. It takes what
 * has arrived, sleeps and waits whose time is over, and what is settled at once, one at a time (I6), each journaled
 * and handed to the workflow, the earliest first.
 *
 * I5: a delivery is taken in the turn whose commit journals it.
 */
import { decode, encode } from "../engine/codec.ts";
import type { Delivery } from "../engine/delivery.ts";
import {
  type Edge,
  type InstantEdge,
  isDue,
  type Plan,
  type SleepEdge,
  type StepEdge,
  type WaitEdge,
} from "../engine/edge.ts";
import { InvalidPayload, LeaseLost, OutcomeUnknown } from "../engine/errors.ts";
import { type Failure, toError, toFailure } from "../engine/failure.ts";
import type { Replay } from "../engine/plan/replay.ts";
import type { Tools } from "../engine/platform.ts";
import type { ClaimedRun, NewRun } from "../engine/run.ts";
import { check } from "../engine/schema.ts";
import { failureOf, isFor, NAMED } from "./match-delivery.ts";
import { toNewRun } from "./new-run.ts";
import type { Runtime } from "./runtime.ts";
import type { TurnRecord } from "./turn-record.ts";

/** So that a loop which never performs a step still commits what it did, and others get their turn. */
const INSTANTS_PER_TURN = 200;

/** Something that can be handed to the workflow, and since when. */
interface Candidate {
  readonly at: number;
  take(): Promise<Plan>;
}

const AGAIN: Failure = {
  code: "again",
  name: "Again",
  message: "A person found that the step had not done its work, and has it done again.",
};

export class Absorption {
  /** Set when a branch found that the run cannot go on. */
  death: Error | undefined;
  private readonly runtime: Runtime;
  private readonly run: ClaimedRun;
  private readonly planner: Replay;
  private readonly record: TurnRecord;
  private readonly tools: Tools;
  private instants = 0;

  constructor(runtime: Runtime, run: ClaimedRun, planner: Replay, record: TurnRecord) {
    this.runtime = runtime;
    this.run = run;
    this.planner = planner;
    this.record = record;
    this.tools = {
      now: run.now,
      random: runtime.random,
      uuid: runtime.uuid,
      hookDigest: (key) => runtime.hooks.digest(run.runId, key),
      toNewRun: (key, child, awaited) =>
        toNewRun(runtime, {
          workflow: child.workflow.name,
          version: child.workflow.version,
          input: child.input,
          tags: child.options.tags,
          delay: child.options.delay,
          deadline: child.options.deadline,
          parent: { runId: run.runId, key: awaited ? key : null },
        }),
    };
  }

  async absorb(plan: Plan): Promise<Plan> {
    let now = plan;
    while (now.state === "resting" && this.death === undefined) {
      const next = await this.next(now.edges);
      if (next === null) break;
      now = await next;
    }
    // Of a run that goes no further, what can be undone is still to be taken, and the rest is for a revive.
    return now.state === "resting" ? this.takeUnwanted(now) : now;
  }

  /**
   * Takes what branches gave to a run that goes no further: whatever was done must be undone. The rest stays where it
   * is: an entry after the failure would keep a revive from forgiving it.
   */
  async absorbBranches(): Promise<void> {
    for (const delivery of this.run.inbox) {
      if (delivery.kind !== "branch" || this.record.took(delivery.id)) continue;
      const edge = this.planner.canUndo(delivery.name) ? this.planner.openStep(delivery.name) : undefined;
      if (edge === undefined) continue;
      if (this.isCut()) return;
      await this.takeBranch(edge, delivery);
    }
  }

  /** The run that goes on with `input`. Throws what its start would be refused with. */
  toSuccessor(input: unknown): Promise<NewRun> {
    const { workflow, version, tags, parent, runId } = this.run;
    return toNewRun(this.runtime, { workflow, version, input, tags, parent, continuedFrom: runId });
  }

  private async next(edges: readonly Edge[]): Promise<Promise<Plan> | null> {
    for (const edge of edges) {
      if (edge.kind === "instant" && this.instants < INSTANTS_PER_TURN && !this.record.isFull)
        return this.settle(edge);
      if (edge.kind === "wait" && edge.child !== undefined && edge.begunAt === null) {
        const refused = await this.startChild(edge);
        if (refused !== null) return refused;
      }
    }
    const [first] = this.candidates(edges).sort((a, b) => a.at - b.at);
    return first === undefined || this.isCut() ? null : first.take();
  }

  /** Whether what is left is for the next turn. */
  private isCut(): boolean {
    this.record.isCut ||= this.record.isFull;
    return this.record.isCut;
  }

  /** What was too much for the claim is read when its turn has come. */
  private async whole(delivery: Delivery): Promise<Delivery> {
    if (!delivery.withheld) return delivery;
    const { runtime, run } = this;
    const { tenant, runId, turn } = run;
    const whole = await runtime.store.readDelivery({ tenant, runId }, delivery.id);
    // Only a turn takes deliveries away, so this one has been lost.
    if (whole === null) throw new LeaseLost(runId, turn);
    return whole;
  }

  private candidates(edges: readonly Edge[]): Candidate[] {
    const keyed = new Map(edges.map((edge) => [edge.key, edge]));
    const named = edges.filter((edge) => edge.kind === "wait" && NAMED.has(edge.on));
    const arrived = this.run.inbox.flatMap((delivery): Candidate[] => {
      if (this.record.took(delivery.id)) return [];
      const its = NAMED.has(delivery.kind) ? named : [keyed.get(delivery.name)];
      const edge = its.find((e) => e !== undefined && isFor(delivery, e));
      if (edge === undefined) return [];
      // What was appended while a gate was closed comes before what opens the gate, whatever the clock did.
      const at = delivery.kind === "mutation" ? 0 : delivery.arrivedAt;
      return [{ at, take: () => this.take(edge, delivery) }];
    });
    const over = edges.flatMap((edge): Candidate[] => {
      if (edge.kind === "sleep" && edge.begunAt !== null && isDue(edge, this.run.now)) {
        return [{ at: instantOf(edge), take: () => this.endSleep(edge) }];
      }
      if (edge.kind === "wait" && edge.begunAt !== null && edge.due !== null && isDue(edge, this.run.now)) {
        return [{ at: instantOf(edge), take: () => this.giveUp(edge) }];
      }
      return [];
    });
    return [...arrived, ...over];
  }

  private async take(edge: Edge, announced: Delivery): Promise<Plan> {
    const delivery = await this.whole(announced);
    if (edge.kind === "step") {
      return delivery.kind === "person" ? this.takeWord(edge, delivery) : this.takeBranch(edge, delivery);
    }
    if (edge.kind !== "wait") throw new Error(`a ${delivery.kind} was delivered to a ${edge.kind}`);
    this.record.take(delivery.id, edge.key);
    return this.endWait(edge, async () => {
      if (delivery.outcome !== "completed") return { outcome: "failed", failure: failureOf(delivery) };
      if (edge.schema === undefined || delivery.kind === "child") {
        return { outcome: "completed", output: delivery.payload };
      }
      const given = delivery.payload === null ? undefined : decode(delivery.payload);
      const checked = await check(edge.schema, given);
      if (checked.problems !== null) throw new InvalidPayload(edge.key, checked.problems);
      const { value } = checked;
      return {
        outcome: "completed",
        output: value === undefined ? null : encode(value, `What arrived for "${edge.key}"`),
      };
    });
  }

  /** What a branch gave: its attempts that failed, and what came of the last. */
  private async takeBranch(edge: StepEdge, announced: Delivery): Promise<Plan> {
    const { record, planner } = this;
    const delivery = await this.whole(announced);
    const { attempt, tookMs, payload } = delivery;
    const agoMs = this.since(delivery.arrivedAt);
    record.take(delivery.id, edge.key);
    for (const { atMs, ...before } of delivery.attempts) {
      const ago = this.since(atMs);
      record.append(edge.entry, edge.key, { ...before, outcome: "retrying", retryInMs: 0, agoMs: ago });
    }
    const failure = delivery.failure ?? { code: "error", name: "Error", message: "unknown" };
    switch (delivery.outcome) {
      case "completed":
      case "failed": {
        const { outcome } = delivery;
        const gave = outcome === "completed" ? { output: payload } : { failure };
        const what = { outcome, attempt, ...gave, tookMs, agoMs };
        return planner.deliver(record.append(edge.entry, edge.key, what));
      }
      case "unknown": {
        const unknown = toFailure(new OutcomeUnknown(edge.key));
        record.append(edge.entry, edge.key, { outcome: "unknown", attempt, failure: unknown, tookMs, agoMs });
        const attempts = { kind: edge.entry, unknown: true, last: attempt, spent: edge.spent, retryAt: null };
        return planner.retrying(edge.key, attempts, null);
      }
      default: {
        this.death = toError(failure);
        const spent = edge.spent + delivery.attempts.length;
        const last = delivery.attempts.at(-1)?.attempt ?? edge.attempt - 1;
        const attempts = { kind: edge.entry, unknown: false, last, spent, retryAt: null };
        return planner.retrying(edge.key, attempts, null);
      }
    }
  }

  /** Milliseconds since then, by the database's clock. What arrived after the claim has just arrived. */
  private since(at: number): number {
    return Math.max(0, this.run.now - at);
  }

  /** A person knows what came of an at-most-once attempt. */
  private takeWord(edge: StepEdge, delivery: Delivery): Promise<Plan> {
    const { record, planner } = this;
    const { attempt } = edge;
    record.take(delivery.id, edge.key);
    record.endedWaits.push(edge.key);
    if (delivery.outcome === "completed") {
      const output = delivery.payload;
      return planner.deliver(record.append(edge.entry, edge.key, { outcome: "completed", attempt, output }));
    }
    record.append(edge.entry, edge.key, { outcome: "retrying", attempt, failure: AGAIN, retryInMs: 0 });
    const attempts = { kind: edge.entry, unknown: false, last: attempt, spent: edge.spent, retryAt: null };
    return Promise.resolve(planner.retrying(edge.key, attempts, { inMs: 0 }));
  }

  private async settle(edge: InstantEdge): Promise<Plan> {
    this.instants += 1;
    const attempt = this.attemptOf(edge.key);
    try {
      const { output, effects } = await edge.settle(this.tools);
      this.record.addEffects(effects);
      // A hook gives nothing to journal, but its address: nobody may call it before it is there.
      if (output !== null || edge.entry === "hook") this.record.found = true;
      return await this.planner.deliver(
        this.record.append(edge.entry, edge.key, { outcome: "completed", attempt, output }),
      );
    } catch (error) {
      const failure = toFailure(error);
      return this.planner.deliver(
        this.record.append(edge.entry, edge.key, { outcome: "failed", attempt, failure }),
      );
    }
  }

  /** Null once the child is noted; what the step gives at once when it cannot be started. */
  private async startChild(edge: WaitEdge): Promise<Promise<Plan> | null> {
    if (edge.child === undefined || this.record.children.has(edge.key)) return null;
    try {
      this.record.children.set(edge.key, await this.tools.toNewRun(edge.key, edge.child, true));
      return null;
    } catch (error) {
      return this.planner.deliver(
        this.record.append("child", edge.key, {
          outcome: "failed",
          attempt: this.attemptOf(edge.key),
          failure: toFailure(error),
        }),
      );
    }
  }

  private endSleep(edge: SleepEdge): Promise<Plan> {
    const tookMs = this.run.now - (edge.begunAt ?? this.run.now);
    return this.planner.deliver(this.record.append("sleep", edge.key, { outcome: "completed", tookMs }));
  }

  private giveUp(edge: WaitEdge): Promise<Plan> {
    return this.endWait(edge, async () => ({ outcome: "timed_out" }));
  }

  private async endWait(
    edge: WaitEdge,
    find: () => Promise<Parameters<TurnRecord["append"]>[2]>,
  ): Promise<Plan> {
    const tookMs = this.run.now - (edge.begunAt ?? this.run.now);
    if (edge.begunAt !== null) this.record.endedWaits.push(edge.key);
    const what = await find().catch((error: unknown) => ({
      outcome: "failed" as const,
      failure: toFailure(error),
    }));
    const attempt = this.attemptOf(edge.key);
    return this.planner.deliver(this.record.append(edge.on, edge.key, { ...what, attempt, tookMs }));
  }

  /** 1, and more once a revive has forgiven that it failed (I1). */
  private attemptOf(key: string): number {
    return (this.planner.reading.attempts.get(key)?.last ?? 0) + 1;
  }

  /**
   * Outcomes of branches that nobody waits for any more, such as the rest of a map that failed. What was done and can
   * be undone is journaled all the same: the run may fail yet.
   */
  private async takeUnwanted(plan: Plan): Promise<Plan> {
    const wanted = new Set(this.planner.openEdges().map(({ key }) => key));
    let now = plan;
    for (const delivery of this.run.inbox) {
      const { id, kind, name, outcome } = delivery;
      if (kind !== "branch" || wanted.has(name) || this.record.took(id)) continue;
      const isDone = outcome === "completed" && this.planner.canUndo(name);
      const edge = isDone ? this.planner.openStep(name) : undefined;
      if (edge === undefined) this.record.take(id, null);
      else if (this.isCut()) return now;
      else now = await this.takeBranch(edge, delivery);
    }
    return now;
  }
}

function instantOf({ due }: SleepEdge | WaitEdge): number {
  return due !== null && "at" in due ? due.at : 0;
}
