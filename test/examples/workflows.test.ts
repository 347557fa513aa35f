import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { startShop } from "../../examples/shop/server.ts";
import { eventually } from "../support/waiting.ts";
import { createWorld, type World } from "../support/world.ts";

const DAY_MS = 86_400_000;

let shop: Awaited<ReturnType<typeof startShop>>;
let world: World;

beforeAll(async () => {
  shop = await startShop();
  world = await createWorld({ SHOP_URL: shop.url });
});
afterEach(() => world.settle());
afterAll(async () => {
  await world?.stop();
  await shop?.stop();
});

/** Moves the clock over a sleep of the run and lets the sweep wake it. */
async function sleepOver(ms: number): Promise<void> {
  await world.database.moveClock(ms + 60_000);
  await world.worker.tick();
}

test("fulfil-order charges, reserves, cools off and ships a real order", async () => {
  const lines = [{ sku: "PWL-01", quantity: 2, unitPrice: 1999 }];
  const order = { orderId: "order-1", customer: "Ada Lovelace", email: "ada@example.com", lines };
  const id = await world.start("fulfil-order", order);
  await world.reaches(id, "waiting");
  await sleepOver(2_000);
  const { output } = await world.reaches(id, "completed");
  expect(output).toMatchObject({
    total: 3998,
    paymentId: expect.any(String),
    shipmentId: expect.any(String),
  });
});

test("import-feed writes every row of the feed to a table of the user's, once", async () => {
  const id = await world.start("import-feed", { url: `${shop.url}/feed/orders.csv` });
  const { output } = await world.reaches(id, "completed");
  expect(output).toMatchObject({ rows: 500 });
  const written = await world.database.rows("select count(*)::int as rows from imported_orders");
  expect(written).toEqual([{ rows: 500 }]);
  expect(world.broker.sent.length).toBeGreaterThan(10);
});

test("remind sends one message a day and sleeps in between", async () => {
  const id = await world.start("remind", { email: "ada@example.com", message: "Water the plants", days: 3 });
  for (let day = 1; day <= 2; day++) {
    await eventually(`day ${day} is over`, async () => {
      const { status, steps_done } = await world.run(id);
      return status === "waiting" && steps_done === day;
    });
    await sleepOver(DAY_MS);
  }
  await world.reaches(id, "completed");
  const kinds = (await world.journal(id)).map(({ kind }) => kind);
  expect(kinds).toEqual(["step", "sleep", "step", "sleep", "step"]);
});
