/** Workers KV as the cron's agenda: a key shows what was written to it some while ago, in each place and at each read another while. */
import type { Idle, Noted } from "../../src/engine/ports.ts";

/** What healthy reads may lag behind. */
export const LAG_MS = 60_000;

/** One key, with everything that was ever written to it. */
class Key<Value> {
  private readonly written: { readonly at: number; readonly value: Value }[] = [];

  write(at: number, value: Value): void {
    this.written.push({ at, value });
  }

  /** As it was then. */
  read(at: number): Value | null {
    return this.written.findLast((one) => one.at <= at)?.value ?? null;
  }
}

export class SimulatedAgenda {
  readonly mark = new Key<string>();
  readonly idle = new Key<Idle>();

  /** `lagOf` draws how old an answer is, for each key anew. */
  read(now: number, lagOf: () => number): Noted {
    return { mark: this.mark.read(now - lagOf()), idle: this.idle.read(now - lagOf()) };
  }
}
