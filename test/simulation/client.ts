/** Who uses the platform from outside: sends each request once or more, and remembers what it was told. */
import { PawlError, StoreUnavailable } from "../../src/engine/errors.ts";
import type { RunRef } from "../../src/engine/run.ts";
import { discardRun } from "../../src/runtime/discard-run.ts";
import { forkRun } from "../../src/runtime/fork-run.ts";
import { cancelRun, pauseRun, resumeRun } from "../../src/runtime/move-runs.ts";
import { redeliverEvent } from "../../src/runtime/redeliver-event.ts";
import { resolveStep } from "../../src/runtime/resolve-step.ts";
import { reviveRun } from "../../src/runtime/revive-run.ts";
import type { Runtime } from "../../src/runtime/runtime.ts";
import { startRuns } from "../../src/runtime/start-runs.ts";
import type { StoredRun } from "../model/memory/tables.ts";
import { CARELESS } from "./careless.ts";
import { ConnectionLost, type Isolate } from "./isolate.ts";
import type { Program, Request } from "./programs/program.ts";
import type { Simulation } from "./simulation.ts";

/** Whoever is a tenant has a world of its own: the same channels and groups have other messages and members. */
const TENANTS = ["default", "default", "default", "other"];

/** What was asked for under one idempotency key. */
export interface Order {
  readonly program: Program;
  readonly tenant: string;
  readonly key: string;
  /** Known once a start was answered. */
  runId: string | null;
  forkId: string | null;
  /** What came of its requests for sure: `ok`, or the code of the refusal. */
  readonly told: Map<string, string>;
  cancelled: "no" | "perhaps" | "promised";
}

/** A request that somebody will send. */
interface Wish {
  readonly order: Order;
  readonly send: (isolate: Isolate, ref: RunRef) => Promise<void>;
}

/** A request that somebody must send. */
type Need = (isolate: Isolate) => Promise<unknown>;

/** `ok`, the code of the refusal, or null where nobody knows. */
type Answer = string | null;

/** Of what runs die that the operator puts right and then revives them. */
const REPAIRED: ReadonlySet<string | undefined> = new Set([
  "lost_turns_exhausted",
  "workflow_not_found",
  "workflow_stalled",
  "journal_mismatch",
]);

export class Client {
  readonly orders: Order[];
  private readonly world: Simulation;
  private readonly wishes: Wish[];
  private underWay = 0;
  private needs = 0;

  constructor(world: Simulation, programs: readonly Program[]) {
    this.world = world;
    this.orders = programs.map((program, i) => ({
      program,
      tenant: world.oneOf(TENANTS),
      key: `order ${i}`,
      runId: null,
      forkId: null,
      told: new Map<string, string>(),
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
    await wish.send(isolate, { tenant: order.tenant, runId: order.runId });
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
    for (const request of order.program.requests ?? []) {
      for (const chance of [0.8, 0.3])
        wish(chance, (isolate, ref) => this.request(isolate, order, ref, request));
    }
    wish(0.15, (isolate, ref) => this.cancel(isolate, order, ref, false));
    wish(0.2, (isolate, ref) => this.cancel(isolate, order, ref, true));
    ask(0.25, pauseRun);
    ask(0.25, resumeRun);
    ask(0.1, reviveRun);
    ask(0.1, discardRun);
    if (order.program.forkAt !== undefined)
      for (const chance of [0.3, 0.3]) wish(chance, (isolate, ref) => this.fork(isolate, order, ref));
    wish(0.3, (isolate, ref) => this.blunder(isolate, order, ref));
    return wishes;
  }

  /** Asks for something that somebody still needs from outside; false when nobody needs anything. */
  help(isolate: Isolate): boolean {
    const needs: Need[] = [
      ...this.deadEvents(),
      ...this.orders.flatMap((order) => this.needsOf(order)),
      ...this.world.runs().flatMap((run) => this.needsOfRun(run)),
    ];
    if (needs.length === 0) return false;
    const send = this.world.oneOf(needs);
    send(isolate).catch((error: unknown) => this.world.broke(error));
    return true;
  }

  /** What was ordered and not answered. */
  private needsOf(order: Order): Need[] {
    const { runId, tenant, told, program } = order;
    if (runId === null) return [(isolate) => this.start(isolate, order)];
    const stored = this.world.find(runId);
    if (stored === undefined) this.world.fail(`run ${runId} was promised and is not there (I9)`);
    const missing = (program.requests ?? []).filter(({ what, notYet }) => {
      const answer = told.get(what);
      return answer === undefined || (answer === notYet && stored.row.status === "waiting");
    });
    return missing.map((request) => (isolate) => this.request(isolate, order, { tenant, runId }, request));
  }

  private deadEvents(): Need[] {
    const { outbox } = this.world.memory.tables;
    return [...outbox.values()].flatMap(({ tenant, id, sends }): Need[] => {
      const isDead = [...sends.values()].some(({ status }) => status === "dead");
      return isDead ? [(isolate) => this.ask(isolate, (runtime) => redeliverEvent(runtime, tenant, id))] : [];
    });
  }

  private needsOfRun(stored: StoredRun): Need[] {
    const { tenant, id: runId, status, wakeAt, failure, workflow } = stored.row;
    const ref = { tenant, runId };
    const ask = (send: Request["send"]): Need[] => [
      (isolate) => this.ask(isolate, (runtime) => send(runtime, ref)),
    ];
    if (status === "paused") return ask(resumeRun);
    if (status === "dead" && REPAIRED.has(failure?.code)) return ask(reviveRun);
    // One that is due has what it needs, once it is claimed.
    if (status !== "waiting" || (wakeAt !== null && wakeAt <= this.world.now)) return [];
    const step = [...stored.waits].find(([, { wait }]) => wait.kind === "person")?.[0];
    if (step !== undefined) return [(isolate) => this.say(isolate, ref, step)];
    const need = this.world.programs.get(workflow)?.need?.(stored, this.needs) ?? null;
    if (need === null) return [];
    this.needs += 1;
    return ask(need.send);
  }

  private async start(isolate: Isolate, order: Order): Promise<void> {
    const { workflow, start } = order.program;
    await this.ask(isolate, async (runtime) => {
      const request = { workflow: workflow.name, input: null, ...start, idempotencyKey: order.key };
      const [started] = await startRuns(runtime, order.tenant, [request]);
      const id = started?.run.runId ?? null;
      if (order.runId !== null && order.runId !== id)
        this.world.fail(`one key has two runs, ${order.runId} and ${id}`);
      order.runId = id;
    });
  }

  private async request(isolate: Isolate, order: Order, ref: RunRef, request: Request): Promise<void> {
    const answer = await this.ask(isolate, (runtime) => request.send(runtime, ref));
    if (answer !== null && order.told.get(request.what) !== "ok") order.told.set(request.what, answer);
  }

  /** Begins the run again as another, which is judged like any of its program. */
  private async fork(isolate: Isolate, order: Order, ref: RunRef): Promise<void> {
    const from = order.program.forkAt ?? undefined;
    await this.ask(isolate, async (runtime) => {
      const { run } = await forkRun(runtime, ref, { from, idempotencyKey: `again ${order.key}` });
      order.forkId ??= run.runId;
      if (run.runId !== order.forkId)
        this.world.fail(`one key has two forks, ${order.forkId} and ${run.runId}`);
    });
  }

  /** Asks for what nobody can be given. */
  private async blunder(isolate: Isolate, order: Order, ref: RunRef): Promise<void> {
    const { codes, send } = this.world.oneOf(CARELESS);
    const answer = await this.ask(isolate, (runtime) => send(runtime, ref, order));
    if (answer !== null && !codes.includes(answer))
      this.world.fail(`what must be refused with ${codes.join(" or ")} was answered with ${answer}`);
  }

  /** A person's word on a step that was cut off. */
  private say(isolate: Isolate, ref: RunRef, step: string): Promise<Answer> {
    const outcome = this.world.oneOf(["done", "again"] as const);
    return this.ask(isolate, (runtime) => resolveStep(runtime, ref, step, { outcome }));
  }

  private async cancel(isolate: Isolate, order: Order, ref: RunRef, compensate: boolean): Promise<void> {
    if (order.cancelled === "no") order.cancelled = "perhaps";
    const answer = await this.ask(isolate, (runtime) => cancelRun(runtime, ref, compensate));
    if (answer === "ok" && !compensate) order.cancelled = "promised";
  }

  private async ask(isolate: Isolate, request: (runtime: Runtime) => Promise<unknown>): Promise<Answer> {
    this.underWay += 1;
    try {
      await isolate.request(request);
      return "ok";
    } catch (error) {
      this.world.heard(error);
      if (error instanceof StoreUnavailable || error instanceof ConnectionLost) return null;
      if (error instanceof PawlError) return error.code;
      throw error;
    } finally {
      this.underWay -= 1;
    }
  }
}
