/** What one simulation does, drawn from its seed. Each seed has some of the faults only: one may hide another. */
import { SIZES, type Sizes } from "../../src/storage/sizes.ts";
import { seeded } from "../support/random.ts";

export const FAULTS = [
  /** A call of the database never reaches it. */
  "cut before",
  /** It does, and the answer is lost. */
  "cut after",
  /** An invocation dies before its work, or with the result. */
  "invocation dies",
  /** The queue refuses messages, or takes them and does not say so. */
  "queue fails",
  "drop",
  "double",
  /** An isolate dies with everything that it is doing. */
  "kill",
  /** An isolate stands still, and goes on later. */
  "pause",
  /** An isolate stands still just before it writes, until somebody else has claimed a run: the rarest of windows. */
  "zombie",
  /** What a user asks for is done just before a claim or a commit, and nothing else in between. */
  "crossed",
  /** An isolate dies just after it has claimed, or just before it sends wake-ups. */
  "cut down",
  /** Between what happens and its answer others may come. */
  "slow answers",
  /** Workers' clocks differ from the database's. */
  "skew",
  /** Time passes while something is under way: leases run out. */
  "late",
  /** The cron does not tick. */
  "no ticks",
  /** The queue takes a message and loses it at once: nobody but the cron looks after what it was for. */
  "lose",
  /** The agenda refuses what it is asked. */
  "agenda refuses",
  /** The agenda shows what was there long ago. */
  "agenda lags",
  /** The agenda takes what is written and loses it. */
  "agenda loses",
  /** For a while isolates have other code. */
  "bad deploy",
  /** A sink refuses events until they are dead. */
  "sink fails",
  /** An isolate keeps functions that it must not go on with. */
  "poisoned",
] as const;
export type Fault = (typeof FAULTS)[number];

export interface Config {
  readonly seed: number;
  readonly runs: number;
  /** One run more, of those that get into trouble of their own. */
  readonly isTroubled: boolean;
  readonly isolates: number;
  /** Of wake-ups. */
  readonly queues: number;
  readonly faults: ReadonlySet<Fault>;
  /** Steps of the phase with faults. */
  readonly steps: number;
  /** Functions of runs with that many entries stay warm. */
  readonly warmFrom: number;
  readonly consumerWaitMs: number;
  readonly lostTurnLimit: number;
  /** How much a claim brings; often so little that hardly anything comes with it. */
  readonly sizes: Sizes;
  /** How much a turn journals before it leaves the rest to the next. */
  readonly turnBytes: number;
  readonly hasAgenda: boolean;
  /** For up to so long users ask for nothing, so that the cron has nothing to do. */
  readonly restMs: number;
}

const TINY: Sizes = { claimBytes: 700, pageEntries: 3, inboxBytes: 300 };

export function configOf(seed: number): Config {
  const random = seeded(seed ^ 0x5eed);
  return {
    seed,
    runs: 1 + Math.floor(random() * 3),
    isTroubled: random() < 0.5,
    isolates: random() < 0.2 ? 1 : 2,
    faults: new Set(FAULTS.filter(() => random() < 0.4)),
    steps: 40 + Math.floor(random() * 160),
    warmFrom: random() < 0.3 ? 0 : 16,
    consumerWaitMs: random() < 0.5 ? 0 : 60_000,
    lostTurnLimit: random() < 0.4 ? 6 : 50,
    queues: 1 + Math.floor(random() * 3),
    sizes: random() < 0.4 ? TINY : SIZES,
    turnBytes: random() < 0.4 ? 15 : SIZES.claimBytes,
    hasAgenda: random() < 0.8,
    restMs: random() < 0.6 ? 0 : 1_800_000,
  };
}
