import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { startShop } from "../../examples/shop/server.ts";
import { createWorld, type World } from "../support/world.ts";

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
