/** What is wrong at the moment on the ways between the workers, their queues and Postgres, and how often it struck. */
import { setTimeout as pause } from "node:timers/promises";
import type { Fate, Fault } from "../support/faulty-gateway.ts";
import type { CommitFate } from "../support/postgres-proxy.ts";
import { type Bed, LEASE_MS } from "./bed.ts";
import { type Dice, shuffled } from "./dice.ts";

/** Faults that last for a while: each strikes with so many chances in a hundred while it is on. */
export type Trouble =
  | "exchange cut before Postgres saw it"
  | "exchange cut after Postgres answered"
  | "exchange left hanging"
  | "commit held beyond its lease"
  | "transaction cut before its commit"
  | "transaction cut after its commit"
  | "message lost"
  | "message doubled"
  | "messages reordered"
  | "send refused"
  | "webhook refuses"
  | "webhook breaks off";

/** So much longer at most: a tick has taken the lease back, and another worker is at the run. */
const HELD_MS = 4_000;

export class Troubles {
  readonly #on = new Map<Trouble, number>();
  readonly #dice: Dice;
  readonly struck = new Map<string, number>();

  constructor(dice: Dice) {
    this.#dice = dice;
  }

  start(trouble: Trouble, percent: number): void {
    this.#on.set(trouble, percent);
  }

  stop(trouble: Trouble): void {
    this.#on.delete(trouble);
  }

  count(name: string): void {
    this.struck.set(name, (this.struck.get(name) ?? 0) + 1);
  }

  /** Whether it strikes now. */
  strikes(trouble: Trouble): boolean {
    const percent = this.#on.get(trouble);
    if (percent === undefined || this.#dice(100) >= percent) return false;
    this.count(trouble);
    return true;
  }

  /** Lets them into the bed: from now on it asks at every place whether one of them strikes. */
  enter({ gateway, proxy, workers, receiver, accepted }: Bed): void {
    const exchanges = (when: Fault["when"], fate: () => Fate) =>
      gateway.inject({ on: "any", when, times: Number.POSITIVE_INFINITY, act: fate });
    gateway.inject({
      on: ["commit", "commit branches"],
      when: "before",
      times: Number.POSITIVE_INFINITY,
      act: async () => {
        if (this.strikes("commit held beyond its lease")) await pause(LEASE_MS + this.#dice(HELD_MS));
        return this.#before();
      },
    });
    exchanges("before", () => this.#before());
    exchanges("after", () => (this.strikes("exchange cut after Postgres answered") ? "cut" : undefined));
    proxy.onCommit = () => this.#commit();
    for (const { broker } of workers) {
      broker.deliveries = () => (this.strikes("message lost") ? 0 : this.strikes("message doubled") ? 3 : 1);
      broker.arrange = (waiting) =>
        waiting.length > 1 && this.strikes("messages reordered") ? shuffled(this.#dice, waiting) : waiting;
      broker.onSend = () => {
        if (this.strikes("send refused")) throw new Error("The queue takes nothing now.");
      };
    }
    receiver.onEvent = ({ event }) => {
      if (this.strikes("webhook breaks off")) throw new Error("The receiver is gone.");
      if (this.strikes("webhook refuses")) return 500;
      accepted.push(event.id);
      return 204;
    };
  }

  #before(): Fate {
    if (this.strikes("exchange cut before Postgres saw it")) return "cut";
    return this.strikes("exchange left hanging") ? "hang" : undefined;
  }

  #commit(): CommitFate {
    if (this.strikes("transaction cut before its commit")) return "cut before";
    return this.strikes("transaction cut after its commit") ? "cut after" : "pass";
  }
}
