/** Every fault: its name, how it is injected, how it is healed. */
import { answersAgain } from "../support/cluster.ts";
import type { TestWorker } from "../support/worker.ts";
import type { Bed } from "./bed.ts";
import type { Dice } from "./dice.ts";
import { MINUTE_MS } from "./samples.ts";
import type { Ticker } from "./ticker.ts";
import type { Trouble, Troubles } from "./trouble.ts";

/** What a fault can reach. */
export interface Stage {
  readonly bed: Bed;
  readonly ticker: Ticker;
  readonly troubles: Troubles;
  /** Workers that a fault has in hand: no other may touch them meanwhile. */
  readonly taken: Set<TestWorker>;
}

export type Heal = () => void | Promise<void>;

export interface Fault {
  readonly name: string;
  /** How long it lasts, in milliseconds: drawn from this range. */
  readonly lasts: readonly [number, number];
  /** Gives what heals it; undefined when there is nothing it could strike now. */
  inject(stage: Stage, dice: Dice): Promise<Heal | undefined> | Heal | undefined;
}

/** A fault that lasts and strikes by chance meanwhile; `Troubles` counts how often. */
const trouble = (name: Trouble, percent: number): Fault => ({
  name,
  lasts: [1_000, 4_000],
  inject({ troubles }) {
    troubles.start(name, percent);
    return () => troubles.stop(name);
  },
});

/** A fault that strikes once, when it is injected. */
const strike = (
  name: string,
  lasts: Fault["lasts"],
  act: (stage: Stage, dice: Dice) => Promise<Heal | undefined> | Heal | undefined,
): Fault => ({
  name,
  lasts,
  async inject(stage, dice) {
    const heal = await act(stage, dice);
    if (heal !== undefined) stage.troubles.count(name);
    return heal;
  },
});

const HEALED: Heal = () => {};

const onWorker = (
  name: string,
  lasts: Fault["lasts"],
  act: (worker: TestWorker, stage: Stage) => Heal,
): Fault =>
  strike(name, lasts, (stage, dice) => {
    const free = stage.bed.workers.filter((worker) => !stage.taken.has(worker));
    const worker = free[dice(Math.max(1, free.length))];
    if (worker === undefined) return undefined;
    stage.taken.add(worker);
    const heal = act(worker, stage);
    return async () => {
      await heal();
      stage.taken.delete(worker);
    };
  });

const restartPostgres = (name: string, away: (bed: Bed) => Promise<void> | void): Fault =>
  strike(name, [100, 2_500], async ({ bed }) => {
    await away(bed);
    return async () => {
      await bed.cluster.postgres.restart("immediate");
      await answersAgain(bed.database);
    };
  });

/** Two of them would be in each other's way. */
export const POSTGRES_AWAY = ["Postgres killed", "Postgres restarted"];

export const FAULTS: readonly Fault[] = [
  onWorker("worker killed", [200, 3_000], (worker, { bed }) => {
    worker.kill();
    return () => bed.restart(worker);
  }),
  onWorker("worker frozen", [1_000, 5_000], (worker) => {
    worker.pause();
    return () => worker.resume();
  }),
  restartPostgres("Postgres killed", ({ cluster }) => cluster.kill()),
  restartPostgres("Postgres restarted", ({ cluster }) => cluster.postgres.stop("immediate")),
  strike("backends terminated", [0, 0], async ({ bed }, dice) => {
    const gone = await bed.database
      .rows(
        `select pg_terminate_backend(pid) from pg_stat_activity
         where backend_type = 'client backend' and pid <> pg_backend_pid() order by random() limit $1`,
        [1 + dice(6)],
      )
      .catch(() => []);
    return gone.length > 0 ? HEALED : undefined;
  }),
  trouble("exchange cut before Postgres saw it", 15),
  trouble("exchange cut after Postgres answered", 15),
  trouble("exchange left hanging", 5),
  trouble("commit held beyond its lease", 10),
  trouble("transaction cut before its commit", 50),
  trouble("transaction cut after its commit", 50),
  trouble("message lost", 50),
  trouble("message doubled", 60),
  trouble("messages reordered", 80),
  trouble("send refused", 40),
  trouble("webhook refuses", 50),
  trouble("webhook breaks off", 50),
  onWorker("messages held back", [500, 4_000], ({ broker }) => {
    broker.pause();
    return () => broker.resume();
  }),
  strike("clock jumped forward", [0, 0], async ({ bed }, dice) => {
    await bed.moveClock(1_000 + dice(dice(4) === 0 ? 60 * MINUTE_MS : 10_000));
    return HEALED;
  }),
  strike("clock went back", [0, 0], async ({ bed }, dice) => {
    await bed.moveClock(-1 - dice(10_000));
    return HEALED;
  }),
  strike("ticks overlapping", [0, 0], ({ ticker }) => {
    for (let i = 0; i < 5; i++) ticker.tick();
    return HEALED;
  }),
  strike("ticks stopped", [3_000, 8_000], ({ ticker }) => {
    ticker.pause();
    return () => ticker.resume();
  }),
];
