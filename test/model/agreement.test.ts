/** Both stores give the same answers to the same commands, and hold the same when they have been given. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { RunRef } from "../../src/engine/run.ts";
import type { Row, StoreUnderTest, Table } from "../storage/support/bed.ts";
import { postgresStore } from "../storage/support/bed.ts";
import { createDatabase, type TestDatabase } from "../support/database.ts";
import { type Act, Commands, type Side } from "./commands.ts";
import { standingMemory } from "./memory-bed.ts";

/** More seeds find more: `PAWL_SEEDS=100 vitest run test/model/agreement.test.ts`. */
const SEEDS = Number(process.env.PAWL_SEEDS ?? 10);
const FIRST = Number(process.env.PAWL_FIRST_SEED ?? 1);
const COMMANDS = Number(process.env.PAWL_COMMANDS ?? 120);

/** How many commands go by until all that is stored is compared. */
const LOOK = 30;

/** Both clocks stand here at first, and move by what the commands say and a millisecond between them. */
const START = Date.UTC(2030, 0, 1);

let database: TestDatabase;
let real: StoreUnderTest;
let model: StoreUnderTest;

beforeAll(async () => {
  database = await createDatabase();
  await database.pool.query(NO_CHANCE);
  real = standing(await postgresStore(database), database);
  model = standingMemory(START);
});
afterAll(() => database.drop());

/** For the sessions that come: what Postgres finds before its own `random()` spreads no backoff. */
const NO_CHANCE = `
create schema no_chance;
create function no_chance.random() returns float8 language sql as 'select 0.5::float8';
do $$ begin execute format('alter database %I set search_path = no_chance, pg_catalog, public', current_database()); end $$`;

/** Postgres with a clock that stands still until it is moved. */
function standing(under: StoreUnderTest, { pool }: TestDatabase): StoreUnderTest {
  let now = START;
  const set = () =>
    pool.query(`create or replace function pawl.clock() returns timestamptz language sql volatile as
      $$ select to_timestamp(${now} / 1000.0) $$`);
  return {
    ...under,
    async moveClock(ms) {
      now += ms;
      await set();
    },
    async clear() {
      await under.clear();
      await pool.query("delete from pawl.outbox_sends");
      now = START;
      await set();
    },
  };
}

describe("the same commands", () => {
  test.each(Array.from({ length: SEEDS }, (_, i) => FIRST + i))(
    "of seed %i have the same answers",
    async (seed) => {
      await real.clear();
      await model.clear();
      const sides = [real, model].map((under): Side => ({ under, runs: [], branches: [], sends: [] }));
      const [one, other] = sides as [Side, Side];
      const commands = new Commands(seed);
      const log: string[] = [];
      for (let i = 0; i < COMMANDS; i++) {
        const [name, act] = commands.next(one);
        log.push(name);
        const [expected, given] = [await answerOf(act, one), await answerOf(act, other)];
        expect({ log: log.slice(-8), answer: given }).toEqual({ log: log.slice(-8), answer: expected });
        for (const { under } of sides) await under.moveClock(1);
        if (i % LOOK !== LOOK - 1) continue;
        const [held, kept] = [
          await everythingOf(real, commands.ids),
          await everythingOf(model, commands.ids),
        ];
        expect({ log: log.slice(-12), kept }).toEqual({ log: log.slice(-12), kept: held });
        expect(await model.violations()).toEqual([]);
      }
      // Commands that all find nothing would agree, too.
      expect(one.runs.length).toBeGreaterThan(COMMANDS / 30);
    },
  );
});

async function answerOf(act: Act, side: Side): Promise<unknown> {
  try {
    return comparable(await act(side));
  } catch (error) {
    return {
      refused: (error as { code?: string }).code?.replace(/^[0-9A-Z]{5}$/, "constraint") ?? "constraint",
    };
  }
}

const COLUMNS: Readonly<Partial<Record<Table, readonly string[]>>> = {
  waits: ["key", "kind", "name", "begun_at", "due_at"],
  deliveries: ["kind", "name", "outcome", "attempt", "payload", "consumed_by", "arrived_at"],
  branches: [
    "key",
    "asked_at",
    "attempt",
    "spent",
    "turn",
    "lost_turns",
    "started",
    "wake_at",
    "wake_up_sent_at",
    "lease_expires_at",
  ],
  subscriptions: ["channel", "subscribed_at"],
  run_groups: ["name", "joined_at"],
  hooks: ["key", "digest", "expires_at", "used_at"],
  run_state: ["key", "value"],
};

async function everythingOf(under: StoreUnderTest, ids: readonly string[]): Promise<unknown> {
  const { reads } = under;
  const runs = await Promise.all(
    ids.map(async (runId) => {
      const ref = { tenant: "default", runId };
      const rows = await Promise.all(
        Object.entries(COLUMNS).map(([table, names]) => rowsOf(under, table as Table, ref, names)),
      );
      return [await reads.run(ref), await reads.journal(ref, 1_000, 0), await reads.underWay(ref), rows];
    }),
  );
  const stuck = (await under.stuckRuns()) as { reason?: string; why?: string; id?: string; runId?: string }[];
  return comparable({
    runs,
    events: (await reads.events("default", {}, 1_000, null)).map(({ seq: _, ...event }) => event),
    channels: await reads.channels("default", 100, ""),
    stuck: stuck.map(({ reason, why, id, runId }) => `${id ?? runId} ${reason ?? why}`).sort(),
  });
}

async function rowsOf(
  under: StoreUnderTest,
  table: Table,
  ref: RunRef,
  names: readonly string[],
): Promise<Row[]> {
  const rows = await under.rowsOf(table, ref);
  const short = rows.map((row) => Object.fromEntries(names.map((name) => [name, row[name]])));
  return table === "deliveries"
    ? short
    : short.sort((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1));
}

/** What comes in no order. */
const BAGS: ReadonlySet<string> = new Set(["due", "turns", "claimed", "timers", "waits", "branches"]);

/** Without what sequences decide: ids of deliveries, numbers of sends. */
function comparable(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(comparable);
  if (value instanceof Date || typeof value !== "object" || value === null) return value;
  const fields = Object.entries(value).flatMap(([name, inner]): [string, unknown][] => {
    if (inner === undefined || (name === "id" && typeof inner === "number")) return [];
    if (name === "seq" && "sink" in value) return [];
    return [[name, BAGS.has(name) ? bagOf(inner) : comparable(inner)]];
  });
  return Object.fromEntries(fields.sort(([a], [b]) => (a < b ? -1 : 1)));
}

function bagOf(items: unknown): unknown {
  if (!Array.isArray(items)) return comparable(items);
  const lines = items.map((item) => ({ item: comparable(item), text: JSON.stringify(comparable(item)) }));
  return lines.sort((a, b) => (a.text < b.text ? -1 : 1)).map(({ item }) => item);
}
