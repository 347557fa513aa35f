/** A way to Postgres that is slow, uneven and breaks everything into pieces: all takes longer, and nothing else changes. */
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { createDatabase, type TestDatabase } from "../support/database.ts";
import { type Pace, type PostgresProxy, startPostgresProxy } from "../support/postgres-proxy.ts";
import { seeded } from "../support/random.ts";
import { createWorld, type World } from "../support/world.ts";

let world: World;
let database: TestDatabase;
let proxy: PostgresProxy;

beforeAll(async () => {
  database = await createDatabase();
  proxy = await startPostgresProxy(database.url);
  await database.rows("create table bookings (run_id text not null, attempt int not null)");
  world = await createWorld({}, { ...database, url: proxy.url });
});
afterEach(async () => {
  proxy.pace = undefined;
  await database.rows("truncate bookings");
  await world.settle();
});
afterAll(async () => {
  await proxy?.stop();
  await world?.stop();
});

const WHOLE = Number.POSITIVE_INFINITY;
const chance = seeded(17);

test.each<[string, Pace]>([
  ["200 ms on every packet", { piece: WHOLE, delayMs: () => 200 }],
  ["jitter of up to 150 ms", { piece: WHOLE, delayMs: () => 150 * chance() }],
  ["16 KB a second", { piece: 256, delayMs: () => 16 }],
  ["packets in pieces of at most 7 bytes", { piece: 7, delayMs: () => 0 }],
])(
  "with %s everything is done once and no turn is lost (C17)",
  async (_, pace) => {
    const { ledger } = world;
    const before = proxy.delayed;
    proxy.pace = pace;
    const inputs = Array.from({ length: 5 }, () => ({ steps: 3 }));
    const counts = await world.startMany("count", inputs);
    const fan = await world.start("fan", { width: 3 });
    const bookkeeper = await world.start("bookkeeper", {});
    const all = [...counts, fan, bookkeeper];
    await world.allReach(all, "completed");
    proxy.pace = undefined;
    expect(proxy.delayed - before).toBeGreaterThan(all.length);
    for (const run of await world.runs(all)) expect(run).toMatchObject({ lost_turns: 0 });
    for (const id of counts) expect((await world.run(id)).turn).toBe(3);
    const keys = ledger.effects.map(({ idempotencyKey }) => idempotencyKey);
    expect(new Set(keys).size).toBe(keys.length);
    expect(ledger.effects.filter(({ runId }) => counts.includes(runId))).toHaveLength(15);
    expect(await database.rows("select attempt from bookings where run_id = $1", [bookkeeper])).toEqual([
      { attempt: 1 },
    ]);
  },
  120_000,
);
