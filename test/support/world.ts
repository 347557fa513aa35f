/** A worker, its database behind a faulty gateway, its queue and the outside world, for the tests of one file. */
import { expect } from "vitest";
import type { Failure } from "../../src/engine/failure.ts";
import type { RunStatus } from "../../src/engine/run.ts";
import type { Broker } from "./broker.ts";
import { createDatabase, type TestDatabase } from "./database.ts";
import { type FaultyGateway, startFaultyGateway } from "./faulty-gateway.ts";
import { type Ledger, startLedger } from "./ledger.ts";
import { TABLES } from "./tables.ts";
import { eventually } from "./waiting.ts";
import { startWorker, type TestWorker, type WorkerOptions } from "./worker.ts";

/** A row of `runs`, as far as tests look at it. */
export interface RunRow {
  readonly id: string;
  readonly workflow: string;
  readonly version: number;
  readonly status: RunStatus;
  readonly turn: number;
  readonly lost_turns: number;
  readonly steps_done: number;
  readonly current_step: string | null;
  readonly failure: Failure | null;
  readonly output: unknown;
  readonly wake_at: Date | null;
  readonly wake_up_sent_at: Date | null;
  readonly lease_expires_at: Date | null;
}

export interface JournalRow {
  readonly seq: number;
  readonly key: string | null;
  readonly kind: string;
  readonly outcome: string;
  readonly attempt: number;
  readonly turn: number;
}

export interface World {
  readonly database: TestDatabase;
  readonly gateway: FaultyGateway;
  readonly ledger: Ledger;
  readonly worker: TestWorker;
  /** That of the first queue. */
  readonly broker: Broker;
  /** One for each queue of the worker. */
  readonly brokers: readonly Broker[];
  /** Over HTTP; gives the new run's id. Nothing is claimed before the answer, or a kill could cut it off. */
  start(workflow: string, input?: unknown, more?: Record<string, unknown>): Promise<string>;
  startMany(workflow: string, inputs: readonly unknown[]): Promise<string[]>;
  run(id: string): Promise<RunRow>;
  runs(ids: readonly string[]): Promise<RunRow[]>;
  journal(id: string): Promise<JournalRow[]>;
  /** Resolves once the run has that status. */
  reaches(id: string, status: RunStatus): Promise<RunRow>;
  /** Resolves once all of them have it. */
  allReach(ids: readonly string[], status: RunStatus): Promise<void>;
  /** Resolves once the run is parked for what has that key: a run is `waiting` for its branches too. */
  waitsFor(id: string, key: string): Promise<RunRow>;
  /**
   * What was running is lost, and everything lost is due again: the clock moves over leases, backoff and
   * grace. Then the broker hands messages over, if it did not before.
   */
  expireLeases(): Promise<void>;
  /** Moves the clock over the grace and ticks, again and again, until all are completed. */
  tickUntilCompleted(ids: readonly string[]): Promise<void>;
  /** Another worker on the same database, reached past the faulty gateway. Stops with this world. */
  secondWorker(vars?: Readonly<Record<string, string>>): Promise<TestWorker>;
  /** After each test: nothing is stuck; then everything is forgotten. */
  settle(): Promise<void>;
  stop(): Promise<void>;
}

const ENTRY = "test/worker/fixture/index.ts";
/** Longer than any test: leases expire only when a test moves the clock. */
const LEASE_MS = 600_000;
/** Longer than the longest backoff of a reclaim (60 s) and the grace of a wake-up (15 s) together. */
const BACKOFF_AND_GRACE_MS = 90_000;
const GRACE_MS = 15_000;
/** More than the worst queue of a test costs. */
const MOST_TICKS = 100;

export async function createWorld(
  vars: Readonly<Record<string, string>> = {},
  given?: TestDatabase,
  entry = ENTRY,
  { assets, queues, hasAgenda }: Pick<WorkerOptions, "assets" | "queues" | "hasAgenda"> = {},
): Promise<World> {
  const database = given ?? (await createDatabase());
  const gateway = await startFaultyGateway(database.gateway);
  const ledger = await startLedger();
  const settings = { PAWL_LEASE_MS: String(LEASE_MS), LEDGER_URL: ledger.url, ...vars };
  const worker = await startWorker({
    entry,
    databaseUrl: database.url,
    gateway: gateway.host,
    vars: settings,
    assets,
    queues,
    hasAgenda,
  });
  const { broker, brokers } = worker;
  const others: TestWorker[] = [];
  const leaseMs = Number(settings.PAWL_LEASE_MS);

  const runs = (ids: readonly string[]) =>
    database.rows<RunRow>("select * from pawl.runs where id = any($1) order by id", [ids]);
  const run = async (id: string) => {
    const [row] = await runs([id]);
    if (row === undefined) throw new Error(`there is no run ${id}`);
    return row;
  };

  const unclaimed = async <T>(start: () => Promise<T>): Promise<T> => {
    const running = brokers.filter(({ paused }) => !paused);
    for (const each of running) each.pause();
    try {
      return await start();
    } finally {
      for (const each of running) each.resume();
    }
  };

  const world: World = {
    database,
    gateway,
    ledger,
    worker,
    broker,
    brokers,
    async start(workflow, input, more = {}) {
      const { status, body } = await unclaimed(() =>
        worker.post(`/api/workflows/${workflow}/runs`, { input, ...more }),
      );
      expect({ status, body }).toMatchObject({ status: 201 });
      return (body as { id: string }).id;
    },
    async startMany(workflow, inputs) {
      const runs = inputs.map((input) => ({ input }));
      const { status, body } = await unclaimed(() =>
        worker.post(`/api/workflows/${workflow}/runs:batch`, { runs }),
      );
      expect({ status, body }).toMatchObject({ status: 201 });
      return (body as { runs: { id: string }[] }).runs.map(({ id }) => id);
    },
    run,
    runs,
    journal: (id) =>
      database.rows<JournalRow>("select * from pawl.journal where run_id = $1 order by seq", [id]),
    reaches: (id, status) =>
      eventually(`run ${id} is ${status}`, async () => {
        const row = await run(id);
        if (row.status === status) return row;
        throw new Error(JSON.stringify(row));
      }),
    allReach: async (ids, status) => {
      await eventually(`${ids.length} runs are ${status}`, async () => {
        const rows = await database.rows<{ status: string; count: string }>(
          "select status, count(*) from pawl.runs where id = any($1) group by status",
          [ids],
        );
        if (rows.length === 1 && rows[0]?.status === status && Number(rows[0].count) === ids.length)
          return true;
        throw new Error(JSON.stringify(rows));
      });
    },
    waitsFor: (id, key) =>
      eventually(`run ${id} waits for ${key}`, async () => {
        const row = await run(id);
        if (row.status === "waiting" && row.current_step === key) return row;
        throw new Error(JSON.stringify(row));
      }),
    async expireLeases() {
      // What a wake-up sets going may kill the worker before it has answered the tick.
      for (const each of brokers) each.pause();
      await database.moveClock(leaseMs + 1);
      await worker.tick();
      await database.moveClock(BACKOFF_AND_GRACE_MS);
      await worker.tick();
      for (const each of brokers) each.resume();
    },
    async tickUntilCompleted(ids) {
      for (let ticks = 0; ; ticks++) {
        const left = (await runs(ids)).filter(({ status }) => status !== "completed");
        if (left.length === 0) return;
        expect(ticks).toBeLessThan(MOST_TICKS);
        await database.moveClock(GRACE_MS + 1);
        await worker.tick();
        await eventually("nothing is held any more", async () => {
          const held = await database.rows("select id from pawl.runs where status = 'running'");
          return held.length === 0;
        });
      }
    },
    async secondWorker(more = {}) {
      const other = await startWorker({
        entry,
        databaseUrl: database.url,
        gateway: database.gateway,
        vars: { ...settings, ...more },
      });
      others.push(other);
      return other;
    },
    async settle() {
      // A test that failed half-way must not fail the next one.
      if (!worker.alive) await worker.restart({ paused: true });
      worker.resume();
      const stuck = await database.rows("select * from pawl.stuck_runs");
      // What one test leaves under way must not meet the next one's faults.
      for (const each of brokers) each.pause();
      ledger.reset();
      await gateway.reset();
      for (const each of [...others, worker]) await each.idle();
      await gateway.reset();
      for (const each of brokers) {
        each.reset();
        each.resume();
      }
      await database.rows(`truncate ${TABLES.map((table) => `pawl.${table}`).join()}`);
      expect(stuck).toEqual([]);
    },
    async stop() {
      for (const each of [...others, worker]) await each.stop();
      await gateway.stop();
      await ledger.stop();
      await database.drop();
    },
  };
  return world;
}
