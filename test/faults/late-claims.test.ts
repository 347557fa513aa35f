/** A claim whose answer takes longer than the lease it gives. */
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { eventually } from "../support/waiting.ts";
import { createWorld, type World } from "../support/world.ts";

const LEASE_MS = 800;

let world: World;

beforeAll(async () => {
  // The consumer waits for its turns, so that a delivery that has returned has started nothing more.
  world = await createWorld({ PAWL_LEASE_MS: String(LEASE_MS), PAWL_CONSUMER_WAIT_MS: "20000" });
});
afterEach(() => world.settle());
afterAll(() => world?.stop());

test("a claim slower than its lease starts no user code, and the run is taken back (D2)", async () => {
  const { gateway, broker, ledger } = world;
  broker.deliveries = () => 0;
  const id = await world.start("count", { steps: 1 });
  const fault = gateway.inject({
    on: "claim",
    when: "after",
    act: async () => {
      await eventually("the lease has run out", async () => {
        const [late] = await world.database.rows(
          "select id from pawl.runs where id = $1 and lease_expires_at <= pawl.clock()",
          [id],
        );
        return late !== undefined;
      });
      return undefined;
    },
  });
  const result = await broker.deliver([{ v: 1, tenant: "default", runId: id }]);
  expect(result.outcome).toBe("ok");
  expect(fault.count).toBe(1);
  expect(ledger.effects).toEqual([]);
  expect(gateway.count("commit")).toBe(0);
  expect(await world.run(id)).toMatchObject({ status: "running", turn: 1 });
  broker.deliveries = () => 1;
  await world.expireLeases();
  expect(await world.reaches(id, "completed")).toMatchObject({ turn: 3 });
  expect(ledger.effects).toHaveLength(1);
});
