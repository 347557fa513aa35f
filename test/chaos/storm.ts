/** Injects the faults of a seed at random, several at a time, until it is told to stop; then heals them all. */
import { setTimeout as pause } from "node:timers/promises";
import { type Dice, diceFor, pick } from "./dice.ts";
import { FAULTS, type Fault, type Heal, POSTGRES_AWAY, type Stage } from "./faults.ts";

/** A fault that this seed enables, and how often it comes against the others. */
export interface Enabled extends Fault {
  readonly weight: number;
}

const LEAST_FAULTS = 6;
/** What lasts goes on for so long beyond its time when it has struck nothing yet. */
const PATIENCE_MS = 20_000;

/** A random subset with random weights: a fault that is always on can hide another. */
export function swarm(seed: number): Enabled[] {
  const dice = diceFor(seed, "swarm");
  const enabled = FAULTS.filter(() => dice(10) < 6);
  // Without the first ones it would be a quiet day.
  const chosen = enabled.length >= LEAST_FAULTS ? enabled : FAULTS.slice(0, LEAST_FAULTS);
  return chosen.map((fault) => ({ ...fault, weight: 1 + dice(5) }));
}

export class Storm {
  readonly enabled: readonly Enabled[];
  readonly #stage: Stage;
  readonly #seed: number;
  readonly #trace: (line: string) => void;
  readonly #active = new Map<string, Promise<void>>();
  #over = false;

  /** `trace` is told of every fault as it begins and as it is healed. */
  constructor(seed: number, stage: Stage, trace: (line: string) => void) {
    this.enabled = swarm(seed);
    this.#stage = stage;
    this.#seed = seed;
    this.#trace = trace;
  }

  /** Each enabled fault once, so that none is left out; then by chance. Resolves when all are healed. */
  async rage(ms: number): Promise<void> {
    const until = Date.now() + ms;
    const first = [...this.enabled];
    for (let n = 1; Date.now() < until; n++) {
      const dice = diceFor(this.#seed, "storm", n);
      const fault = pick(dice, this.enabled);
      const chosen = first.shift() ?? fault;
      const next = 150 + dice(900);
      if (!(await this.#begin(chosen, dice)) && !this.#hasStruck(chosen)) first.push(chosen);
      await pause(next);
    }
    this.#over = true;
    await Promise.all(this.#active.values());
  }

  async #begin(fault: Fault, dice: Dice): Promise<boolean> {
    const { name, lasts } = fault;
    const lastsMs = lasts[0] + dice(1 + lasts[1] - lasts[0]);
    const rivals = POSTGRES_AWAY.includes(name) ? POSTGRES_AWAY : [name];
    if (rivals.some((rival) => this.#active.has(rival))) return false;
    this.#trace(name);
    const heal = await fault.inject(this.#stage, dice);
    if (heal === undefined) return false;
    const active = this.#last(fault, lastsMs, heal).finally(() => this.#active.delete(name));
    this.#active.set(name, active);
    return true;
  }

  async #last(fault: Fault, lastsMs: number, heal: Heal): Promise<void> {
    await pause(lastsMs);
    const until = Date.now() + PATIENCE_MS;
    while (!this.#hasStruck(fault) && !this.#over && Date.now() < until) await pause(100);
    await heal();
    this.#trace(`${fault.name}: healed`);
  }

  #hasStruck({ name }: Fault): boolean {
    return (this.#stage.troubles.struck.get(name) ?? 0) > 0;
  }
}
