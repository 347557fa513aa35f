/**
 * One simulated deployment: isolates, a queue, a cron and users, on the in-memory store. From its seed follows everything
 * that happens. First faults are injected; then they stop, and everything must come to its end.
 */
import type { EventSink, Sweep } from "../../src/engine/ports.ts";
import { isFinal } from "../../src/engine/run.ts";
import { Registry, type StepContext } from "../../src/engine/workflow.ts";
import type { WakeUpMessage } from "../../src/queue/message.ts";
import type { Settings } from "../../src/runtime/runtime.ts";
import { allRuns, type StoredRun } from "../model/memory/tables.ts";
import { createMemory, type Memory } from "../model/memory.ts";
import { seeded } from "../support/random.ts";
import { LAG_MS, SimulatedAgenda } from "./agenda.ts";
import { Watch } from "./checks.ts";
import { Client } from "./client.ts";
import type { Config, Fault } from "./config.ts";
import { Director } from "./director.ts";
import type { Isolate } from "./isolate.ts";
import { Judgement } from "./judgement.ts";
import { count, Ledger } from "./ledger.ts";
import { programsFor } from "./programs/all.ts";
import type { Program } from "./programs/program.ts";
import { SimulatedQueue } from "./queue.ts";
import { Scheduler } from "./scheduler.ts";
import { Violation } from "./violation.ts";

const LEASE_MS = 30_000;
/** Healthy simulations need some 500 at most, where users do not rest. */
const HEALING_STEPS = 1_500;
const HEALING_STEPS_WITH_RESTS = 6_000;

function settingsOf({ lostTurnLimit, turnBytes }: Config): Settings {
  return {
    leaseMs: LEASE_MS,
    lostTurnLimit,
    wakeUpGraceMs: 15_000,
    sweepHorizonMs: 120_000,
    sweepLimit: 20,
    turnBytes,
    safetySweepMs: 1_200_000,
    messageRetentionMs: 14 * 86_400_000,
    eventRetentionMs: 7 * 86_400_000,
  };
}

/** Reads, and sweeps that found nothing: most of what a tick does. */
function changesNothing(verb: string, answer: unknown): boolean {
  if (/^record|^nextDue$/.test(verb) || verb === "mutations" || verb === "forkSource") return true;
  if (verb === "readJournal" || verb === "readDelivery") return true;
  const isSweep = /^(reclaim|collect|route|forget|deleteOld|claimSends|matchMessages)/.test(verb);
  if (!isSweep) return false;
  const found = Array.isArray(answer)
    ? answer.length
    : typeof answer === "number"
      ? answer
      : (answer as Sweep).swept;
  return found === 0;
}

function registryOf(programs: readonly Program[]): Registry {
  return new Registry(programs.map(({ workflow }) => workflow));
}

export class Simulation {
  readonly config: Config;
  readonly random: () => number;
  readonly memory: Memory;
  readonly scheduler = new Scheduler();
  readonly queues: readonly SimulatedQueue[];
  readonly agenda = new SimulatedAgenda();
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
  readonly client: Client;
  private readonly deployed: Registry;
  private readonly badlyDeployed: Registry;
  private readonly director: Director;
  /** Runs of which a message was lost after the healing began. */
  private readonly lost = new Set<string>();
  private ids = 0;
  private broken: unknown;
  /** True once a verb was carried out in this step that may have changed something. */
  private carriedOut = false;

  constructor(config: Config, traced = false) {
    this.config = config;
    this.traced = traced;
    this.random = seeded(config.seed);
    this.memory = createMemory({
      now: Date.UTC(2026, 0, 1),
      random: this.random,
      sizes: config.sizes,
    });
    this.settings = settingsOf(config);
    this.queues = Array.from({ length: config.queues }, () => new SimulatedQueue());
    const { calm, trouble } = programsFor(this);
    const programs = [...calm, ...trouble];
    this.programs = new Map(programs.map((program) => [program.workflow.name, program]));
    this.deployed = registryOf(programs);
    this.badlyDeployed = registryOf(programs.filter(({ retires }) => !retires));
    const orders = Array.from({ length: config.runs }, () => this.oneOf(calm));
    const fitting = trouble.filter(({ fits }) => fits?.(config) ?? true);
    this.client = new Client(this, config.isTroubled ? [...orders, this.oneOf(fitting)] : orders);
    this.director = new Director(this);
  }

  find(runId: string): StoredRun | undefined {
    for (const { runs } of this.memory.tables.tenants.values()) {
      const run = runs.get(runId);
      if (run !== undefined) return run;
    }
    return undefined;
  }

  get isHealing(): boolean {
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
    if (port === "database") {
      if (this.strikes("cut before", 0.05)) return "before";
      return this.strikes("cut after", 0.05) ? "after" : undefined;
    }
    if (!this.strikes(port === "queue" ? "queue fails" : "invocation dies", 0.1)) return undefined;
    return this.random() < 0.5 ? "before" : "after";
  }

  /** How far the answer of the agenda lags behind. */
  readonly agendaLag = (): number =>
    this.strikes("agenda lags", 0.3) ? this.pick(40 * this.tickMs) : this.pick(LAG_MS);

  isSlow(): boolean {
    return this.strikes("slow answers", 0.5);
  }

  /** The body of a step does its work in the outside world. */
  effect(step: string, { idempotencyKey }: Pick<StepContext, "idempotencyKey">): Promise<void> {
    const runId = idempotencyKey.slice(0, idempotencyKey.indexOf(":"));
    return this.director.acting.effect(`effect ${step} of ${runId}`, () => {
      this.effects.push({ runId, step, key: idempotencyKey });
    });
  }

  /** The body of a step takes its isolate down with it. */
  crash(): Promise<never> {
    this.director.kill(this.director.acting);
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
    this.carriedOut ||= !changesNothing(verb, answer);
    try {
      this.ledger.saw(verb, given, answer);
      this.watched.saw(verb, given, answer);
    } catch (violation) {
      // Thrown here it would reach the code under test, which survives whatever a port throws.
      this.broke(violation);
    }
    if (verb.startsWith("claim") && verb !== "claimSends") this.director.claimed();
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
            if (this.strikes("sink fails", 0.5)) throw new Error("the sink refuses");
          }),
      },
    ];
  }

  /** True, and counted, when the fault is to strike now. */
  strikes(fault: Fault, chance: number): boolean {
    if (this.isHealing || !this.config.faults.has(fault) || this.random() >= chance) return false;
    this.struck.set(fault, (this.struck.get(fault) ?? 0) + 1);
    return true;
  }

  /** Whether the queue loses the message. When all else is healed it still does, once for each run. */
  isLost(body: WakeUpMessage): boolean {
    if (!this.isHealing) return this.strikes("lose", 0.3);
    if (!("runId" in body) || !this.config.faults.has("lose") || this.lost.has(body.runId)) return false;
    if (this.random() < 0.5) return false;
    this.lost.add(body.runId);
    return true;
  }

  /** One thing happens, and everything that follows from it by itself. */
  private async step(): Promise<void> {
    this.steps += 1;
    this.director.next();
    await this.scheduler.settled();
    if (this.broken !== undefined) throw this.broken;
    if (this.carriedOut) this.watched.check();
    this.carriedOut = false;
  }

  /** L1 to L5: without faults, and with what they need from outside, all runs come to their end. */
  private async heal(): Promise<void> {
    this.healedAt = this.now;
    this.isBadDeploy = false;
    this.note("healing begins");
    this.director.wakeAll();
    const steps = this.config.restMs > 0 ? HEALING_STEPS_WITH_RESTS : HEALING_STEPS;
    let helpAt = this.now;
    for (let i = 0; i < steps; i++) {
      await this.step();
      if (this.scheduler.points.length > 0 || this.hasMessages() || this.client.isBusy) continue;
      if (this.now < helpAt && !this.isOver()) continue;
      helpAt = this.now + this.pick(this.config.restMs + 1);
      if (!this.client.help(this.oneOf(this.director.isolates)) && this.isOver()) return;
    }
    const left = this.runs().filter(({ row }) => !isFinal(row.status));
    const runs = left.map(({ row }) => `${row.workflow} ${row.id} is ${row.status}, due ${row.wakeAt}`);
    const points = this.scheduler.points.map(({ what, at }) => `${what} at ${at}`);
    this.fail(`it does not come to an end: ${[...runs, ...points].join("; ")}`);
  }

  private hasMessages(): boolean {
    return this.queues.some((queue) => queue.available(this.now) > 0);
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
