/**
 * A worker: the real runtime on the in-memory store. Each call of a port is a point before it happens and another
 * before its answer arrives, so an isolate can be paused, killed or lied to wherever a real one can.
 */

import { sweep, tick } from "../../src/cron/tick.ts";
import { StoreUnavailable } from "../../src/engine/errors.ts";
import type { Agenda, Clock, SweepPart } from "../../src/engine/ports.ts";
import type { ClaimedBranch } from "../../src/engine/run.ts";
import { consumeWakeUps } from "../../src/queue/consumer.ts";
import type { WakeUpMessage } from "../../src/queue/message.ts";
import { createWakeUps } from "../../src/queue/producer.ts";
import type { Loopback } from "../../src/runtime/dispatch-turns.ts";
import { Marks } from "../../src/runtime/marks.ts";
import { performBranch } from "../../src/runtime/perform-branch.ts";
import type { Runtime } from "../../src/runtime/runtime.ts";
import { takeTurn } from "../../src/runtime/take-turn.ts";
import { hooks } from "./hook-tokens.ts";
import { type BranchPoison, PoisonedBranches } from "./poisoned-branches.ts";
import { type Poison, PoisonedRuns } from "./poisoned-runs.ts";
import type { Batch, SimulatedQueue } from "./queue.ts";
import type { Simulation } from "./simulation.ts";

/** Whoever asked does not know whether it was done. */
export class ConnectionLost extends Error {}

export class Isolate {
  readonly runtime: Runtime;
  paused = false;
  private readonly world: Simulation;
  private readonly loopback: Loopback;
  private readonly batches = new Set<Batch>();
  private readonly death = Promise.withResolvers<never>();
  /** How far this worker's clock is ahead of the database's. */
  private readonly skewMs: number;

  constructor(world: Simulation, skewMs: number) {
    this.world = world;
    this.skewMs = skewMs;
    const { memory } = world;
    this.runtime = {
      store: this.wrapped(memory.store),
      reads: this.wrapped(memory.reads),
      // Nobody looks at the whole deployment here.
      overview: {} as Runtime["overview"],
      history: {} as Runtime["history"],
      timings: { noteSweeps: async () => {} } as unknown as Runtime["timings"],
      // No bulk action is ever started.
      bulks: { claim: async () => [] } as unknown as Runtime["bulks"],
      transactions: this.wrapped(memory.transactions),
      wakeUps: createWakeUps({
        queues: world.queues.map((queue, i) => ({ binding: `queue ${i + 1}`, queue: this.producer(queue) })),
        random: world.random,
        report: (what, error) => this.runtime.report(what, error),
      }),
      agenda: world.config.hasAgenda ? this.agenda() : null,
      marks: new Marks(),
      clock: this.clock(),
      get registry() {
        return world.registry;
      },
      settings: world.settings,
      deployment: null,
      sinks: world.sinks(this),
      warmRuns: new PoisonedRuns(() => this.poison(), { fromEntries: world.config.warmFrom }),
      warmBranches: new PoisonedBranches((branch) => this.branchPoison(branch)),
      hooks,
      newRunId: () => world.newId(),
      random: world.random,
      uuid: () => world.newId(),
      report: (what, error) => world.note(`reported: ${what}: ${error}`),
    };
    this.death.promise.catch(() => {});
    this.loopback = {
      take: (turn) =>
        this.invoke(`turn ${turn.run.turn} of ${turn.run.runId}`, () => takeTurn(this.runtime, turn)),
      perform: (branch) =>
        this.invoke(`branch ${branch.branch.key} of ${branch.branch.runId}`, () =>
          performBranch(this.runtime, branch),
        ),
    };
  }

  /** What the queue's consumer does with these messages. */
  consume(batch: Batch): void {
    this.batches.add(batch);
    const { runtime, loopback } = this;
    const deps = {
      runtime,
      loopback,
      waitMs: this.world.config.consumerWaitMs,
      waitUntil: () => {},
      sweep: (only?: SweepPart) => sweep(runtime, only),
      sweepIfLate: async () => {},
      late: () => {},
    };
    consumeWakeUps(deps, batch.handed).then(
      () => this.close(batch, false),
      (error: unknown) => {
        this.world.note(`the consumer threw ${error}`);
        this.close(batch, true);
      },
    );
  }

  /** What the cron trigger does. */
  tick(): void {
    void tick(this.runtime, this.world.now);
  }

  /** A request over HTTP, whose connection breaks when this isolate dies. */
  request<T>(work: (runtime: Runtime) => Promise<T>): Promise<T> {
    const { runtime } = this;
    return Promise.race([runtime.marks.during(runtime, () => work(runtime)), this.death.promise]);
  }

  /** Everything that it was doing is lost. The queue learns it and hands its messages over again. */
  die(): void {
    this.world.scheduler.removeAll(this);
    this.death.reject(new ConnectionLost());
    for (const batch of this.batches) batch.close(this.world.now, true);
    this.batches.clear();
  }

  /** An effect in the outside world, on behalf of a step. */
  effect(what: string, happen: () => void): Promise<void> {
    return this.point(what, () => {
      happen();
      return Promise.resolve();
    });
  }

  /** It happens when the scheduler says so, and is heard of when it says so again. */
  point<T>(what: string, happen: () => Promise<T>, at = 0): Promise<T> {
    const { scheduler } = this.world;
    return new Promise((resolve, reject) => {
      const act = () => {
        const answer = happen();
        const hear = () => void answer.then(resolve, reject);
        if (!this.world.isSlow()) return hear();
        answer.catch(() => {});
        scheduler.add({ what: `answer to ${what}`, owner: this, at: 0, act: hear });
      };
      scheduler.add({ what, owner: this, at, act });
    });
  }

  private poison(): Poison {
    const { world } = this;
    if (!world.strikes("poisoned", 0.3)) return null;
    return world.oneOf<Poison>([
      { runId: world.oneOf(world.runs()).row.id },
      { entries: 1 },
      { entries: -1 },
      "stale",
    ]);
  }

  private branchPoison({ askedAt }: ClaimedBranch): BranchPoison {
    const { world } = this;
    if (!world.strikes("poisoned", 0.3)) return null;
    return world.oneOf<BranchPoison>([
      { runId: world.oneOf(world.runs()).row.id },
      { askedAt: askedAt + 1 },
      { askedAt: Math.max(0, askedAt - 1) },
    ]);
  }

  private close(batch: Batch, died: boolean): void {
    // A batch that died with its isolate is closed already.
    if (this.batches.delete(batch)) batch.close(this.world.now, died);
  }

  private async invoke<T>(what: string, work: () => Promise<T>): Promise<T> {
    const fate = this.world.fate("invocation");
    await this.point(what, () => Promise.resolve());
    if (fate === "before") throw new Error("The invocation died.");
    const given = await work();
    if (fate === "after") throw new Error("The invocation died.");
    return given;
  }

  private wrapped<Port extends object>(port: Port): Port {
    const { world } = this;
    const verbs = Object.entries(port).map(([verb, perform]) => {
      const call = (...given: unknown[]) => {
        const fate = world.fate("database");
        return this.point(fate === undefined ? verb : `${verb}, cut ${fate}`, async () => {
          if (fate === "before") throw new StoreUnavailable(new Error("cut before"));
          const answer = await (perform as (...given: unknown[]) => Promise<unknown>)(...given);
          world.watch(verb, given, answer);
          if (fate === "after") throw new StoreUnavailable(new Error("cut after"));
          return answer;
        });
      };
      return [verb, call] as const;
    });
    return Object.fromEntries(verbs) as Port;
  }

  private producer(queue: SimulatedQueue): Queue<WakeUpMessage> {
    const sendBatch = async (sent: Iterable<MessageSendRequest<WakeUpMessage>>) => {
      const messages = [...sent];
      const fate = this.world.fate("queue");
      await this.point(`send ${messages.length}`, async () => {
        if (fate === "before") throw new Error("The queue refuses.");
        for (const { body, delaySeconds = 0 } of messages) {
          if (!this.world.isLost(body)) queue.send(body, this.world.now + delaySeconds * 1_000);
        }
        if (fate === "after") throw new Error("The queue did not answer.");
      });
    };
    return { sendBatch } as unknown as Queue<WakeUpMessage>;
  }

  private agenda(): Agenda {
    const { world } = this;
    const asked = <T>(what: string, answer: () => T) =>
      this.point(what, async () => {
        if (world.strikes("agenda refuses", 0.3)) throw new Error("The agenda refuses.");
        return answer();
      });
    const written = (what: string, write: () => void) =>
      asked(what, () => {
        if (!world.strikes("agenda loses", 0.3)) write();
      });
    return {
      read: () => asked("read the agenda", () => world.agenda.read(world.now, world.agendaLag)),
      mark: (mark) => written("mark the agenda", () => world.agenda.mark.write(world.now, mark)),
      idle: (idle) => written("let the cron idle", () => world.agenda.idle.write(world.now, idle)),
    };
  }

  private clock(): Clock {
    const { world } = this;
    const { scheduler } = world;
    return {
      rest: scheduler.rest,
      now: () => world.now + this.skewMs,
      sleep: (ms, signal) =>
        new Promise((resolve) => {
          if (signal?.aborted) return resolve();
          const over = () => {
            scheduler.remove(point);
            signal?.removeEventListener("abort", over);
            resolve();
          };
          const point = { what: "timer", owner: this, at: world.now + ms, act: over };
          scheduler.add(point);
          signal?.addEventListener("abort", over);
        }),
    };
  }
}
