/**
 * One simulated deployment: isolates, a queue, a cron and users, on the in-memory store. From its seed follows everything
 * that happens. First faults are injected; then they stop, and everything must come to its end.
 */
import type { EventSink } from "../../src/engine/ports.ts";
import { isFinal } from "../../src/engine/run.ts";
import { Registry, type StepContext } from "../../src/engine/workflow.ts";
import type { Settings } from "../../src/runtime/runtime.ts";
import { allRuns, type StoredRun } from "../model/memory/tables.ts";
import { createMemory, type Memory } from "../model/memory.ts";
import { seeded } from "../support/random.ts";
import { Watch } from "./checks.ts";
import { Client } from "./client.ts";
import type { Config, Fault } from "./config.ts";
import { Isolate } from "./isolate.ts";
import { Judgement } from "./judgement.ts";
import { count, Ledger } from "./ledger.ts";
import { programsFor } from "./programs/all.ts";
import type { Program } from "./programs/program.ts";
import { SimulatedQueue } from "./queue.ts";
import { type Point, Scheduler } from "./scheduler.ts";
import { Violation } from "./violation.ts";

const LEASE_MS = 30_000;
const HEALING_STEPS = 4_000;

function settingsOf({ lostTurnLimit }: Config): Settings {
  return {
    leaseMs: LEASE_MS,
    lostTurnLimit,
    wakeUpGraceMs: 15_000,
    sweepHorizonMs: 120_000,
    sweepLimit: 20,
    messageRetentionMs: 14 * 86_400_000,
    eventRetentionMs: 7 * 86_400_000,
  };
}

function registryOf(programs: readonly Program[]): Registry {
  return new Registry(programs.map(({ workflow }) => workflow));
}

export class Simulation {
  readonly config: Config;
  readonly random: () => number;
  readonly memory: Memory;
  readonly scheduler = new Scheduler();
  readonly queue = new SimulatedQueue();
  readonly settings: Settings;
  readonly tickMs = 60_000;
  /** Since when there are no faults any more. */
  healedAt: number | null = null;
  /** True while isolates have the code of another deployment. */
  isBadDeploy = false;
  /** Codes of errors: what users were told, what was stored, what bodies heard. */
  readonly codes = new Map<string, number>();
  /** What happened, when it is asked for. */
  readonly trace: string[] = [];
  /** How often each fault struck. */
  readonly struck = new Map<Fault, number>();
  /** The bodies that ran: run, step, idempotency key. */
  readonly effects: { readonly runId: string; readonly step: string; readonly key: string }[] = [];
  /** Ids of events, as they arrived outside. */
  readonly sent: string[] = [];
  steps = 0;
  private readonly traced: boolean;
  /** By their workflows. */
  readonly programs: ReadonlyMap<string, Program>;
  readonly ledger = new Ledger(this);
  readonly watched = new Watch(this);
  private readonly client: Client;
  private readonly deployed: Registry;
  private readonly badlyDeployed: Registry;
  private isolates: Isolate[];
  private acting: Isolate;
  private ids = 0;
  private nextTick: number;
  private broken: unknown;
  /** True once a verb was carried out in this step: only then can anything have changed. */
  private carriedOut = false;

  constructor(config: Config, traced = false) {
    this.config = config;
    this.traced = traced;
    this.random = seeded(config.seed);
    this.memory = createMemory({ now: Date.UTC(2026, 0, 1), random: this.random });
    this.settings = settingsOf(config);
    const { calm, trouble } = programsFor(this);
    const programs = [...calm, ...trouble];
    this.programs = new Map(programs.map((program) => [program.workflow.name, program]));
    this.deployed = registryOf(programs);
    this.badlyDeployed = registryOf(programs.filter(({ retires }) => !retires));
    const orders = Array.from({ length: config.runs }, () => this.oneOf(calm));
    const fitting = trouble.filter(({ fits }) => fits?.(config) ?? true);
    this.client = new Client(this, config.isTroubled ? [...orders, this.oneOf(fitting)] : orders);
    this.isolates = Array.from({ length: config.isolates }, () => this.newIsolate());
    this.acting = this.oneOf(this.isolates);
    this.nextTick = this.now + this.tickMs;
  }

  find(runId: string): StoredRun | undefined {
    for (const { runs } of this.memory.tables.tenants.values()) {
      const run = runs.get(runId);
      if (run !== undefined) return run;
    }
    return undefined;
  }

  private get isHealing(): boolean {
    return this.healedAt !== null;
  }

  get registry(): Registry {
    return this.isBadDeploy ? this.badlyDeployed : this.deployed;
  }

  runs(): StoredRun[] {
    return [...allRuns(this.memory.tables)];
  }

  get now(): number {
    return this.memory.now();
  }

  /** Throws `Violation`. */
  async run(): Promise<void> {
    for (let i = 0; i < this.config.steps && !(this.client.isIdle && this.isOver()); i++) await this.step();
    await this.heal();
    await new Judgement(this, this.ledger, this.programs, this.client.orders).judge();
  }

  /** Ids ascend, so children come after their parents (I11). */
  newId(): string {
    this.ids += 1;
    return `01${String(this.ids).padStart(24, "0")}`;
  }

  oneOf<T>(items: readonly T[]): T {
    const item = items[this.pick(items.length)];
    if (item === undefined) throw new Error("there is nothing to choose from");
    return item;
  }

  readonly pick = (count: number): number => Math.floor(this.random() * count);

  note(what: string): void {
    if (this.traced) this.trace.push(`${this.steps} ${this.now} ${what}`);
  }

  fail(what: string): never {
    throw new Violation(what);
  }

  /** Whether a call is cut, and on which side of what it does. */
  fate(port: "database" | "queue" | "invocation"): "before" | "after" | undefined {
    if (this.isHealing) return undefined;
    if (port === "database") {
      if (this.strikes("cut before", 0.05)) return "before";
      return this.strikes("cut after", 0.05) ? "after" : undefined;
    }
    if (!this.strikes(port === "queue" ? "queue fails" : "invocation dies", 0.1)) return undefined;
    return this.random() < 0.5 ? "before" : "after";
  }

  isSlow(): boolean {
    return !this.isHealing && this.strikes("slow answers", 0.5);
  }

  /** The body of a step does its work in the outside world. */
  effect(step: string, { idempotencyKey }: Pick<StepContext, "idempotencyKey">): Promise<void> {
    const runId = idempotencyKey.slice(0, idempotencyKey.indexOf(":"));
    return this.acting.effect(`effect ${step} of ${runId}`, () => {
      this.effects.push({ runId, step, key: idempotencyKey });
    });
  }

  /** The body of a step takes its isolate down with it. */
  crash(): Promise<never> {
    this.kill(this.acting);
    return new Promise(() => {});
  }

  /** The body of a step hangs until it is told to stop. */
  aborted(signal: AbortSignal): Promise<never> {
    return new Promise((_, reject) => {
      signal.addEventListener("abort", () => {
        this.heard(signal.reason);
        reject(signal.reason);
      });
    });
  }

  heard(error: unknown): void {
    const { code } = error as { code?: unknown };
    if (typeof code === "string") count(this.codes, code);
  }

  /** A verb of a port was carried out. */
  watch(verb: string, given: readonly unknown[], answer: unknown): void {
    this.carriedOut = true;
    try {
      this.ledger.saw(verb, given, answer);
      this.watched.saw(verb, given, answer);
    } catch (violation) {
      // Thrown here it would reach the code under test, which survives whatever a port throws.
      this.broke(violation);
    }
    if (verb.startsWith("claim") && verb !== "claimSends")
      for (const isolate of this.isolates) isolate.paused = false;
  }

  /** Code of this simulation, or of the platform, failed where nobody catches it. */
  broke(error: unknown): void {
    this.broken ??= error;
  }

  sinks(isolate: Isolate): EventSink[] {
    return [
      {
        sink: "outside",
        types: ["*"],
        attempts: 1_000,
        send: (event) =>
          isolate.effect(`send ${event.id}`, () => {
            this.sent.push(event.id);
          }),
      },
      {
        sink: "fragile",
        types: ["*"],
        attempts: 2,
        send: (event) =>
          isolate.point(`send ${event.id} to the fragile`, async () => {
            if (!this.isHealing && this.strikes("sink fails", 0.5)) throw new Error("the sink refuses");
          }),
      },
    ];
  }

  private newIsolate(): Isolate {
    const skewed = this.config.faults.has("skew");
    return new Isolate(this, skewed ? Math.round((this.random() - 0.5) * 1_200_000) : 0);
  }

  private strikes(fault: Fault, chance: number): boolean {
    if (!this.config.faults.has(fault) || this.random() >= chance) return false;
    this.struck.set(fault, (this.struck.get(fault) ?? 0) + 1);
    return true;
  }

  /** One thing happens, and everything that follows from it by itself. */
  private async step(): Promise<void> {
    this.steps += 1;
    if (!this.injected()) this.go();
    await this.scheduler.settled();
    if (this.broken !== undefined) throw this.broken;
    if (this.carriedOut) this.watched.check();
    this.carriedOut = false;
  }

  /** A fault that strikes on its own. */
  private injected(): boolean {
    if (this.isHealing) return false;
    if (this.strikes("kill", 0.03)) this.kill(this.oneOf(this.isolates));
    else if (this.strikes("pause", 0.05)) {
      const isolate = this.oneOf(this.isolates);
      isolate.paused = !isolate.paused;
    } else if (this.strikes("late", 0.05)) this.memory.moveClock(1 + this.pick(2 * LEASE_MS));
    else if (this.strikes("bad deploy", 0.05)) this.isBadDeploy = !this.isBadDeploy;
    else if (this.strikes("drop", 0.05)) this.queue.drop(this.now, this.pick);
    else if (this.strikes("double", 0.05)) this.queue.double(this.now, this.pick);
    else return false;
    return true;
  }

  private go(): void {
    const ready = this.ready();
    const awake = this.isolates.filter(({ paused }) => !paused);
    const messages = awake.length === 0 ? 0 : this.queue.available(this.now);
    const ticks = awake.length > 0 && this.now >= this.nextTick ? 1 : 0;
    const acts = this.isHealing || awake.length === 0 || this.client.isIdle ? 0 : 0.5;
    const happen = this.oneByWeight([
      [ready.length, () => this.act(this.oneOf(ready))],
      [messages, () => this.handOver(this.oneOf(awake))],
      [ticks, () => this.tick(this.oneOf(awake))],
      [acts, () => this.send(this.oneOf(awake))],
    ]);
    happen();
  }

  /** Where nothing can happen now, time passes. */
  private oneByWeight(choices: readonly (readonly [weight: number, happen: () => void])[]): () => void {
    let chance = this.random() * choices.reduce((sum, [weight]) => sum + weight, 0);
    for (const [weight, happen] of choices) {
      chance -= weight;
      if (chance < 0) return happen;
    }
    return () => this.pass();
  }

  private ready(): Point[] {
    const { now } = this;
    return this.scheduler.points.filter(({ at, owner }) => at <= now && !(owner as Isolate).paused);
  }

  private act(point: Point): void {
    if (!this.isHealing && point.what.startsWith("commit") && this.strikes("zombie", 0.15)) {
      (point.owner as Isolate).paused = true;
      this.memory.moveClock(LEASE_MS + 1);
      this.nextTick = this.now;
      return;
    }
    this.note(point.what);
    this.scheduler.remove(point);
    this.acting = point.owner as Isolate;
    point.act();
  }

  /** Somebody outside asks for something. */
  private send(isolate: Isolate): void {
    this.acting = isolate;
    this.client.act(isolate).catch((error: unknown) => this.broke(error));
  }

  private handOver(isolate: Isolate): void {
    const batch = this.queue.batch(this.now, 1 + this.pick(3), this.pick);
    this.note("hands over a batch");
    this.acting = isolate;
    isolate.consume(batch);
  }

  private tick(isolate: Isolate): void {
    this.nextTick = this.now + this.tickMs;
    if (!this.isHealing && this.strikes("no ticks", 0.8)) return;
    this.note("tick");
    this.acting = isolate;
    isolate.tick();
  }

  /** Nothing can happen now: time goes on to the next thing that can. */
  private pass(): void {
    const points = this.scheduler.points.filter(({ owner }) => !(owner as Isolate).paused);
    const next = Math.min(this.nextTick, this.queue.nextAt(), ...points.map(({ at }) => at));
    this.memory.moveClock(Math.max(0, next - this.now));
    const chance = this.isolates.some(({ paused }) => !paused) ? 0.1 : 1;
    for (const isolate of this.isolates) if (this.random() < chance) isolate.paused = false;
  }

  private kill(isolate: Isolate): void {
    this.note("kill");
    isolate.die();
    this.isolates = this.isolates.map((other) => (other === isolate ? this.newIsolate() : other));
  }

  /** L1 to L5: without faults, and with what they need from outside, all runs come to their end. */
  private async heal(): Promise<void> {
    this.healedAt = this.now;
    this.isBadDeploy = false;
    this.note("healing begins");
    for (const isolate of this.isolates) isolate.paused = false;
    for (let i = 0; i < HEALING_STEPS; i++) {
      await this.step();
      if (this.scheduler.points.length > 0 || this.queue.available(this.now) > 0 || this.client.isBusy)
        continue;
      if (!this.client.help(this.oneOf(this.isolates)) && this.isOver()) return;
    }
    const left = this.runs().filter(({ row }) => !isFinal(row.status));
    const runs = left.map(({ row }) => `${row.workflow} ${row.id} is ${row.status}, due ${row.wakeAt}`);
    const points = this.scheduler.points.map(({ what, at }) => `${what} at ${at}`);
    this.fail(`it does not come to an end: ${[...runs, ...points].join("; ")}`);
  }

  /** Every run is final, and every event was sent. */
  private isOver(): boolean {
    for (const { row } of allRuns(this.memory.tables)) if (!isFinal(row.status)) return false;
    for (const { routedAt, sends } of this.memory.tables.outbox.values()) {
      if (routedAt === null || [...sends.values()].some(({ status }) => status !== "sent")) return false;
    }
    return true;
  }
}
