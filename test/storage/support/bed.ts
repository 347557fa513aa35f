/**
 * What the conformance suite runs against: a store, and the few things that a test does behind its back.
 * An in-memory store passes the same suite by providing the same.
 */

import { clock } from "../../../src/clock.ts";
import type { Decision } from "../../../src/engine/decide.ts";
import type { CommittedTurn, Store, Transactions } from "../../../src/engine/ports.ts";
import type { Reads } from "../../../src/engine/reads.ts";
import type { ClaimedRun, NewRun, RunDetail, RunRef } from "../../../src/engine/run.ts";
import type { Sizes } from "../../../src/storage/sizes.ts";
import { createStore } from "../../../src/storage/store.ts";
import { createTransactions } from "../../../src/storage/transactions.ts";
import { createDatabase, type TestDatabase } from "../../support/database.ts";
import { TABLES } from "../../support/tables.ts";
import { LEASE, newRun, only } from "./builders.ts";

export interface StoreUnderTest {
  readonly store: Store;
  readonly reads: Reads;
  readonly transactions: Transactions;
  /** The same store with answers of another size. */
  sized(sizes: Sizes): Store;
  moveClock(ms: number): Promise<void>;
  /** A fact arrives for the run, as a signal will bring one (I4). */
  deliver(ref: RunRef): Promise<void>;
  /** What a table holds for the run, in the order of its key. */
  rowsOf(table: Table, run: RunRef): Promise<Row[]>;
  /** Everything that is stored, to be compared with a later time or with another store. */
  everything(): Promise<Rows>;
  /** Keys of the timers that the run has. */
  timers(ref: RunRef): Promise<string[]>;
  /** Runs that nothing would ever move again; always empty. */
  stuckRuns(): Promise<unknown[]>;
  /** What is stored and must not be; always empty. Postgres refuses it by itself. */
  violations(): Promise<string[]>;
  /** From now on no row of the run or of its branches can be changed. */
  corrupt(run: RunRef): Promise<void>;
  /** Forgets everything that is stored, and puts the clock right. */
  clear(): Promise<void>;
  close(): Promise<void>;
}

export type Table =
  | "waits"
  | "deliveries"
  | "branches"
  | "subscriptions"
  | "run_groups"
  | "hooks"
  | "run_state"
  | "mutations";
export type Row = Readonly<Record<string, unknown>>;
/** Rows by the names of their tables. */
export type Rows = Readonly<Record<string, readonly Row[]>>;

/** A turn that is durable; null where its run needs no wake-up. */
export type Answer = CommittedTurn & { readonly wakeInMs: number | null };

/** A store under test, with the first steps that most tests take. */
export interface Bed extends StoreUnderTest {
  /** A run that is due now, unless its fields say otherwise. */
  start(fields?: Partial<NewRun>, tenant?: string): Promise<RunRef>;
  /** The claim of a run that can be claimed. */
  claim(run: RunRef, leaseMs?: number): Promise<ClaimedRun>;
  /** What a commit answers for each of its turns, with the wake-up that it asks for. */
  commit(decisions: readonly Decision[]): Promise<Answer[]>;
  /** A run that a turn holds. */
  startAndClaim(fields?: Partial<NewRun>, tenant?: string): Promise<ClaimedRun>;
  /** The run as it is now. */
  see(run: RunRef): Promise<RunDetail>;
  /** Keys in the journal, in order. */
  journaled(run: RunRef): Promise<(string | null)[]>;
}

export function toBed(under: StoreUnderTest): Bed {
  const { store, reads } = under;
  const bed: Bed = {
    ...under,
    async start(fields = {}, tenant = "default") {
      const { run } = only(await store.startRuns(tenant, [newRun(fields)]));
      return { tenant: run.tenant, runId: run.runId };
    },
    async claim(run, leaseMs = LEASE) {
      return only((await store.claimRuns([run], leaseMs)).claimed);
    },
    async commit(decisions) {
      const { turns, due } = await store.commitTurns(decisions);
      return turns.map((turn) => {
        const its = due.find((one) => isOf(one, turn) && one.branch === undefined);
        return { ...turn, wakeInMs: its?.wakeInMs ?? null };
      });
    },
    async startAndClaim(fields, tenant) {
      return bed.claim(await bed.start(fields, tenant));
    },
    async see(run) {
      const found = await reads.run(run);
      if (found === null) throw new Error(`no run ${run.runId}`);
      return found;
    },
    async journaled(run) {
      return (await reads.journal(run, 1_000, 0))?.map(({ key }) => key) ?? [];
    },
  };
  return bed;
}

function isOf(one: RunRef, other: RunRef): boolean {
  return one.runId === other.runId && one.tenant === other.tenant;
}

/** The real store, on a database of its own. */
export async function postgresStore(database?: TestDatabase): Promise<StoreUnderTest> {
  const made = database ?? (await createDatabase());
  let moved = 0;
  return {
    store: made.store,
    sized: (sizes) => createStore(made.db, sizes),
    reads: made.reads,
    transactions: createTransactions(made.url, made.gateway, made.db, clock.sleep),
    async moveClock(ms) {
      moved += ms;
      await made.moveClock(ms);
    },
    async deliver({ tenant, runId }) {
      await made.rows(DELIVER, [tenant, runId]);
    },
    async timers({ tenant, runId }) {
      const rows = await made.rows<{ key: string }>(
        "select key from pawl.timers where tenant = $1 and run_id = $2 order by key",
        [tenant, runId],
      );
      return rows.map(({ key }) => key);
    },
    rowsOf: (table, { tenant, runId }) =>
      made.rows(`select * from pawl.${table} where tenant = $1 and run_id = $2 order by 1, 2, 3`, [
        tenant,
        runId,
      ]),
    async everything() {
      // Several statements in one text have an answer each.
      const answers = (await made.pool.query(EVERYTHING)) as unknown as readonly { readonly rows: Row[] }[];
      return Object.fromEntries(ALL_TABLES.map((table, i) => [table, answers[i]?.rows ?? []]));
    },
    stuckRuns: () => made.rows("select * from pawl.stuck_runs"),
    violations: async () => [],
    async corrupt({ runId }) {
      await made.pool.query(CORRUPTED);
      for (const [table, column] of Object.entries({ runs: "id", branches: "run_id" })) {
        await made.pool.query(`create trigger "corrupted ${runId}" before update on pawl.${table} for each row
          when (old.${column} = '${runId}') execute function pawl.corrupted()`);
      }
    },
    async clear() {
      await made.pool.query("drop function if exists pawl.corrupted cascade");
      await made.pool.query(CLEAR);
      if (moved !== 0) await made.moveClock(-moved);
      moved = 0;
    },
    close: () => made.drop(),
  };
}

/** What the delivery of a signal does to its run: the count, and a run that is parked becomes due. */
export const DELIVER = `update pawl.runs set deliveries = deliveries + 1,
  wake_at = case when status = 'waiting' then pawl.clock() else wake_at end
  where tenant = $1 and id = $2`;

const CORRUPTED = `create or replace function pawl.corrupted() returns trigger language plpgsql as $$
begin
  raise exception using errcode = 'data_corrupted', message = 'invalid page';
end $$`;

const ALL_TABLES = [...TABLES, "ticks"];

const EVERYTHING = ALL_TABLES.map((table) => `select * from pawl.${table} t order by t::text`).join("; ");

/** Of small tables, deleting is quicker than truncating. */
const CLEAR = ALL_TABLES.map((table) => `delete from pawl.${table}`).join("; ");
