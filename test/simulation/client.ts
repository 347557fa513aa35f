/** Who uses the platform from outside: sends each request once or more, and remembers what it was told. */
import { PawlError, StoreUnavailable } from "../../src/engine/errors.ts";
import type { RunRef } from "../../src/engine/run.ts";
import { cancelRun, pauseRun, resumeRun } from "../../src/runtime/move-runs.ts";
import { resolveStep } from "../../src/runtime/resolve-step.ts";
import { reviveRun } from "../../src/runtime/revive-run.ts";
import type { Runtime } from "../../src/runtime/runtime.ts";
import { sendSignals, toNewSignal } from "../../src/runtime/send-signals.ts";
import { startRuns } from "../../src/runtime/start-runs.ts";
import { allRuns } from "../model/memory/tables.ts";
import { ConnectionLost, type Isolate } from "./isolate.ts";
import type { Simulation } from "./simulation.ts";
import type { Program } from "./workflows.ts";

export const TENANT = "default";

/** What was asked for under one idempotency key. */
export interface Order {
  readonly program: Program;
  readonly key: string;
  /** Known once a start was answered. */
  runId: string | null;
  /** Signals that were accepted for sure. */
  readonly accepted: Set<string>;
  cancelled: "no" | "perhaps" | "yes";
}

/** A request that somebody will send. */
interface Wish {
  readonly order: Order;
  readonly send: (isolate: Isolate, ref: RunRef) => Promise<void>;
}

type Answer = "ok" | "refused" | "unknown";

export class Client {
  readonly orders: Order[];
  private readonly world: Simulation;
  private readonly wishes: Wish[];
  private underWay = 0;

  constructor(world: Simulation, programs: readonly Program[]) {
    this.world = world;
    this.orders = programs.map((program, i) => ({
      program,
      key: `order ${i}`,
      runId: null,
      accepted: new Set<string>(),
      cancelled: "no",
    }));
    this.wishes = this.orders.flatMap((order) => this.wishesOf(order));
  }

  get isBusy(): boolean {
    return this.underWay > 0;
  }

  get isIdle(): boolean {
    return this.wishes.length === 0;
  }

  /** Sends one of the requests that are left. */
  async act(isolate: Isolate): Promise<void> {
    const wish = this.world.oneOf(this.wishes);
    const { order } = wish;
    if (order.runId === null) return this.start(isolate, order);
    this.wishes.splice(this.wishes.indexOf(wish), 1);
    await wish.send(isolate, { tenant: TENANT, runId: order.runId });
  }

  /** What the user of this order does, each at any time: some things twice, some never. */
  private wishesOf(order: Order): Wish[] {
    const { random } = this.world;
    const wishes: Wish[] = [];
    const wish = (chance: number, send: Wish["send"]) => {
      if (random() < chance) wishes.push({ order, send });
    };
    const ask = (chance: number, verb: (runtime: Runtime, ref: RunRef) => Promise<void>) =>
      wish(chance, async (isolate, ref) => void (await this.ask(isolate, (runtime) => verb(runtime, ref))));
    wish(0.3, (isolate) => this.start(isolate, order));
    for (const signal of order.program.signals) {
      for (const chance of [0.8, 0.3])
        wish(chance, (isolate, ref) => this.signal(isolate, order, ref, signal));
    }
    wish(0.15, (isolate, ref) => this.cancel(isolate, order, ref, false));
    wish(0.2, (isolate, ref) => this.cancel(isolate, order, ref, true));
    ask(0.25, pauseRun);
    ask(0.25, resumeRun);
    ask(0.1, reviveRun);
    return wishes;
  }

  /** Asks for what somebody still needs from outside; false when nobody needs anything. */
  async help(isolate: Isolate): Promise<boolean> {
    const request = (await this.firstNeed(isolate)) ?? null;
    request?.().catch((error: unknown) => this.world.broke(error));
    return request !== null;
  }

  private async firstNeed(isolate: Isolate): Promise<(() => Promise<unknown>) | undefined> {
    for (const order of this.orders) {
      const { runId } = order;
      if (runId === null) return () => this.start(isolate, order);
      if (this.world.find(runId) === undefined)
        this.world.fail(`run ${runId} was promised and is not there (I9)`);
      const missing = order.program.signals.find(({ id }) => !order.accepted.has(id));
      if (missing !== undefined) return () => this.signal(isolate, order, { tenant: TENANT, runId }, missing);
    }
    for (const { row, waits } of allRuns(this.world.memory.tables)) {
      const ref = { tenant: TENANT, runId: row.id };
      if (row.status === "paused") return () => this.ask(isolate, (runtime) => resumeRun(runtime, ref));
      if (row.failure?.code === "lost_turns_exhausted")
        return () => this.ask(isolate, (runtime) => reviveRun(runtime, ref));
      const step = [...waits].find(([, { wait }]) => wait.kind === "person")?.[0];
      if (step !== undefined)
        return () => this.ask(isolate, (runtime) => resolveStep(runtime, ref, step, { outcome: "done" }));
    }
    return undefined;
  }

  private async start(isolate: Isolate, order: Order): Promise<void> {
    const { workflow } = order.program;
    await this.ask(isolate, async (runtime) => {
      const request = { workflow: workflow.name, input: null, idempotencyKey: order.key };
      const [started] = await startRuns(runtime, TENANT, [request]);
      const id = started?.run.runId ?? null;
      if (order.runId !== null && order.runId !== id)
        this.world.fail(`one key has two runs, ${order.runId} and ${id}`);
      order.runId = id;
    });
  }

  private async signal(
    isolate: Isolate,
    order: Order,
    { runId }: RunRef,
    { name, id, payload }: Program["signals"][number],
  ): Promise<void> {
    const signal = toNewSignal(runId, { name, id, payload });
    const answer = await this.ask(isolate, (runtime) => sendSignals(runtime, TENANT, [signal]));
    if (answer !== "unknown") order.accepted.add(id);
  }

  private async cancel(isolate: Isolate, order: Order, ref: RunRef, compensate: boolean): Promise<void> {
    if (order.cancelled === "no") order.cancelled = "perhaps";
    const answer = await this.ask(isolate, (runtime) => cancelRun(runtime, ref, compensate));
    if (answer === "ok") order.cancelled = "yes";
  }

  private async ask(isolate: Isolate, request: (runtime: Runtime) => Promise<unknown>): Promise<Answer> {
    this.underWay += 1;
    try {
      await isolate.request(request);
      return "ok";
    } catch (error) {
      if (error instanceof StoreUnavailable || error instanceof ConnectionLost) return "unknown";
      if (error instanceof PawlError) return "refused";
      throw error;
    } finally {
      this.underWay -= 1;
    }
  }
}
