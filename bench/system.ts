/** What a system under measurement has to offer: one small adapter each, in `systems/`. */
import type { Work } from "./work.ts";

/** A system, ready to work, in a process of its own. */
export interface Bed {
  /** Starts all runs at once and waits until the last is completed. May be called again meanwhile. */
  run(work: Work): Promise<Outcome>;
  /** What a cron does, where the system has one. */
  tick?(): Promise<void>;
  close(): Promise<void>;
}

export interface Outcome {
  /** From the first start to the last completion: by the database's own timestamps where the system keeps them. */
  readonly ms: number;
  /** Steps that were really done. */
  readonly steps: number;
  /** When each step was done, in ascending order, in milliseconds since any moment. */
  readonly marks: readonly number[];
}

/** Where a system works. */
export interface Place {
  /** Its own database. */
  readonly url: string;
  /** The address to use for what listens at `address`: another one while round trips are counted. */
  tap(address: string): Promise<string>;
}

export type Options = Readonly<Record<string, string | number | boolean>>;

/** What each file of `systems/` exports as `open`. */
export type Open = (options: Options, place: Place) => Promise<Bed>;
