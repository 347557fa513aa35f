/** Chooses what happens next: one of the points, a message, a tick, a user's request, a fault; else time passes. */
import { Isolate } from "./isolate.ts";
import type { SimulatedQueue } from "./queue.ts";
import type { Point } from "./scheduler.ts";
import type { Simulation } from "./simulation.ts";

/** Calls that write for whoever may be somebody else by then. */
const WRITES = /^(commit|startBranch|run$|subscribe|unsubscribe|publish|deliverSignals)/;
/** What is claimed is not performed yet; what is written is not told yet. */
const BETWEEN = /^(turn|branch|send \d)/;
const CROSSED = /^(claim|commit)/;

/** A request that is done before `point` is; of `others` nothing happens meanwhile. */
interface Crossing {
  readonly point: Point;
  readonly others: ReadonlySet<Point>;
}

export class Director {
  isolates: Isolate[];
  /** Whose code runs now. */
  acting: Isolate;
  private readonly world: Simulation;
  private nextTick: number;
  /** When users ask for something again. */
  private nextAct: number;
  private crossing: Crossing | null = null;

  constructor(world: Simulation) {
    this.world = world;
    this.isolates = Array.from({ length: world.config.isolates }, () => this.newIsolate());
    this.acting = world.oneOf(this.isolates);
    this.nextTick = world.now + world.tickMs;
    this.nextAct = world.now;
  }

  wakeAll(): void {
    for (const isolate of this.isolates) isolate.paused = false;
  }

  /** Somebody was claimed: whoever stood still may go on, as one that has lost its lease. */
  claimed(): void {
    for (const isolate of this.isolates) if (this.world.random() < 0.4) isolate.paused = false;
  }

  /** One thing happens. */
  next(): void {
    if (this.crossing !== null) this.goOnCrossing(this.crossing);
    else if (!this.injected()) this.go();
  }

  kill(isolate: Isolate): void {
    this.world.note("kill");
    isolate.die();
    this.isolates = this.isolates.map((other) => (other === isolate ? this.newIsolate() : other));
  }

  private newIsolate(): Isolate {
    const { world } = this;
    const isSkewed = world.config.faults.has("skew");
    return new Isolate(world, isSkewed ? Math.round((world.random() - 0.5) * 1_200_000) : 0);
  }

  /** A fault that strikes on its own. */
  private injected(): boolean {
    const { world } = this;
    if (world.strikes("kill", 0.03)) this.kill(world.oneOf(this.isolates));
    else if (world.strikes("pause", 0.05)) {
      const isolate = world.oneOf(this.isolates);
      isolate.paused = !isolate.paused;
    } else if (world.strikes("late", 0.05))
      world.memory.moveClock(1 + world.pick(2 * world.settings.leaseMs));
    else if (world.strikes("bad deploy", 0.05)) world.isBadDeploy = !world.isBadDeploy;
    else if (world.strikes("drop", 0.05)) world.oneOf(world.queues).drop(world.now, world.pick);
    else if (world.strikes("double", 0.05)) world.oneOf(world.queues).double(world.now, world.pick);
    else return false;
    return true;
  }

  private go(): void {
    const { world } = this;
    const ready = this.ready();
    const awake = this.isolates.filter(({ paused }) => !paused);
    const handing = awake.length === 0 ? [] : world.queues;
    const ticks = awake.length > 0 && world.now >= this.nextTick ? 1 : 0;
    const acts = this.mayAct() && awake.length > 0 && world.now >= this.nextAct ? 0.5 : 0;
    const happen = this.oneByWeight([
      [ready.length, () => this.act(world.oneOf(ready))],
      ...handing.map(
        (queue) => [queue.available(world.now), () => this.handOver(queue, world.oneOf(awake))] as const,
      ),
      [ticks, () => this.tick(world.oneOf(awake))],
      [acts, () => this.send(world.oneOf(awake))],
    ]);
    happen();
  }

  /** Whether users have anything left to ask for. */
  private mayAct(): boolean {
    return !this.world.isHealing && !this.world.client.isIdle;
  }

  /** Where nothing can happen now, time passes. */
  private oneByWeight(choices: readonly (readonly [weight: number, happen: () => void])[]): () => void {
    let chance = this.world.random() * choices.reduce((sum, [weight]) => sum + weight, 0);
    for (const [weight, happen] of choices) {
      chance -= weight;
      if (chance < 0) return happen;
    }
    return () => this.pass();
  }

  private ready(): Point[] {
    const { now, scheduler } = this.world;
    return scheduler.points.filter(({ at, owner }) => at <= now && !(owner as Isolate).paused);
  }

  /** A point happens, unless a fault waits for just that. */
  private act(point: Point): void {
    const { world } = this;
    const isolate = point.owner as Isolate;
    if (WRITES.test(point.what) && world.strikes("zombie", 0.15)) this.lull(isolate);
    else if (BETWEEN.test(point.what) && world.strikes("cut down", 0.1)) this.kill(isolate);
    else if (CROSSED.test(point.what) && !world.client.isIdle && world.strikes("crossed", 0.2))
      this.cross(point);
    else this.happen(point);
  }

  private happen(point: Point): void {
    this.world.note(point.what);
    this.world.scheduler.remove(point);
    this.acting = point.owner as Isolate;
    point.act();
  }

  /** Its leases run out before it goes on. */
  private lull(isolate: Isolate): void {
    isolate.paused = true;
    this.world.memory.moveClock(this.world.settings.leaseMs + 1);
    this.nextTick = this.world.now;
  }

  private cross(point: Point): void {
    this.world.note(`crossed: ${point.what}`);
    this.crossing = { point, others: new Set(this.world.scheduler.points) };
    this.send(point.owner as Isolate);
  }

  /** Lets the user's request go on, and after it what it crosses. */
  private goOnCrossing({ point, others }: Crossing): void {
    const its = this.ready().find((ready) => !others.has(ready));
    if (its === undefined) this.crossing = null;
    const next = its ?? point;
    if (this.world.scheduler.points.includes(next)) this.happen(next);
  }

  /** Somebody outside asks for something. */
  private send(isolate: Isolate): void {
    this.acting = isolate;
    this.nextAct = this.world.now + this.world.pick(this.world.config.restMs + 1);
    this.world.client.act(isolate).catch((error: unknown) => this.world.broke(error));
  }

  private handOver(queue: SimulatedQueue, isolate: Isolate): void {
    const { world } = this;
    const batch = queue.batch(world.now, 1 + world.pick(3), world.pick);
    world.note("hands over a batch");
    this.acting = isolate;
    isolate.consume(batch);
  }

  private tick(isolate: Isolate): void {
    const { world } = this;
    this.nextTick = world.now + world.tickMs;
    if (world.strikes("no ticks", 0.8)) return;
    world.note("tick");
    this.acting = isolate;
    isolate.tick();
  }

  /** Nothing can happen now: time goes on to the next thing that can. */
  private pass(): void {
    const { world } = this;
    const points = world.scheduler.points.filter(({ owner }) => !(owner as Isolate).paused);
    const nextAct = this.mayAct() ? this.nextAct : Number.POSITIVE_INFINITY;
    const next = Math.min(
      this.nextTick,
      nextAct,
      ...world.queues.map((queue) => queue.nextAt()),
      ...points.map(({ at }) => at),
    );
    world.memory.moveClock(Math.max(0, next - world.now));
    const chance = this.isolates.some(({ paused }) => !paused) ? 0.1 : 1;
    for (const isolate of this.isolates) if (world.random() < chance) isolate.paused = false;
  }
}
