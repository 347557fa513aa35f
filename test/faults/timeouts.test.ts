/** Statements that Postgres breaks off by itself: because of a lock, of time, or of somebody else's write. */
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { createDatabase } from "../support/database.ts";
import type { Effect } from "../support/ledger.ts";
import { eventually, gate } from "../support/waiting.ts";
import { createWorld, type World } from "../support/world.ts";

describe.each([
  ["a lock is waited for too long", "lock_timeout = '1s'", "55P03"],
  ["it takes too long", "statement_timeout = '1500ms'", "57014"],
  ["somebody else wrote the row meanwhile", "default_transaction_isolation = 'repeatable read'", "40001"],
])("a statement that Postgres breaks off because %s", (_, setting, code) => {
  let world: World;

  beforeAll(async () => {
    const database = await createDatabase();
    await database.rows(
      `do $$ begin execute format('alter database %I set ${setting.replaceAll("'", "''")}', current_database()); end $$`,
    );
    world = await createWorld({}, database);
  });
  afterEach(async () => {
    await release();
    await world.settle();
  });
  afterAll(() => world?.stop());

  let release = async () => {};
  /** Somebody else holds the run's row, having written it, until it is released. */
  const holding = async (id: string) => {
    const other = await world.database.pool.connect();
    release = async () => {
      release = async () => {};
      await other.query("commit");
      other.release();
    };
    await other.query("begin");
    await other.query("update pawl.runs set tags = tags where id = $1", [id]);
  };

  test("is sent again when it is a turn's commit, and the step is not done again (C4)", async () => {
    const { ledger, gateway } = world;
    const door = gate<Effect>();
    ledger.onEffect = (effect) => door.pass(effect);
    const id = await world.start("count", { steps: 1 });
    await door.reached;
    await holding(id);
    const tries = gateway.inject({ on: "commit", when: "before", times: 5, act: () => undefined });
    door.open();
    await tries.injected;
    // What conflicts with a write is broken off only once that is committed.
    if (code === "40001") {
      await eventually("the commit waits for the row", () => waitsForLock(world));
      await release();
    }
    await eventually("it is tried again", () => tries.count > 1);
    if (code !== "40001") await release();
    expect(await world.reaches(id, "completed")).toMatchObject({ turn: 1, lost_turns: 0 });
    expect(ledger.effects).toHaveLength(1);
  });

  test("is a 503 when it is a request's, which can be made again (C4)", async () => {
    const { worker, broker } = world;
    broker.pause();
    const id = await world.start("count", { steps: 1 });
    await holding(id);
    const cancel = () => worker.post(`/api/runs/${id}/cancel`);
    const first = cancel();
    if (code === "40001") {
      await eventually("the cancel waits for the row", () => waitsForLock(world));
      await release();
    }
    expect(await first).toMatchObject({ status: 503, body: { error: { code: "store_unavailable" } } });
    if (code !== "40001") await release();
    expect(await world.run(id)).toMatchObject({ status: "ready" });
    expect((await cancel()).status).toBe(200);
    expect(await world.run(id)).toMatchObject({ status: "cancelled" });
  });
});

async function waitsForLock({ database }: World): Promise<boolean> {
  const blocked = await database.rows(
    "select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'",
  );
  return blocked.length > 0;
}
