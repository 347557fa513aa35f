// A workflow as a chain of named steps, for people who come from job chains. Each is told what those before it
// returned, by their names and with their types. It is compiled to a function: everything else is the same.
import { sequence } from "pawl";
import * as z from "zod";
import { postToShop } from "../src/workflows/shop.ts";

const Order = z.object({
  orderId: z.string().min(1),
  customer: z.string().min(1),
  email: z.email(),
  amount: z.int().positive().describe("cents"),
  sku: z.string().min(1),
});

const DESK = "desk@example.com";

export const orderChain = sequence("order-chain", { version: 1, input: Order })
  .step(
    "charge card",
    ({ input: { orderId, email, amount }, ...call }) =>
      postToShop("/charges", { orderId, email, amount }, call),
    {
      maxAttempts: 5,
      compensate: ({ output, ...call }) =>
        postToShop("/messages", { to: DESK, text: `Refund ${output.id}` }, call),
    },
  )
  .parallel("prepare", {
    goods: ({ input: { orderId, sku }, ...call }) =>
      postToShop("/reservations", { orderId, lines: [{ sku, quantity: 1 }] }, call),
    receipt: ({ input: { email }, results, ...call }) =>
      postToShop("/messages", { to: email, text: `Paid: ${results["charge card"].id}` }, call),
  })
  // The resolver is a step: it runs once. The steps of the other case are never there.
  .route("size", ({ input }) => (input.amount > 100_000 ? "large" : "small"), {
    large: (chain) => chain.waitForSignal("checked", { timeout: "1 day", schema: z.boolean() }),
    small: (chain) => chain.sleep("cooling off", "2 seconds"),
  })
  .step("ship", ({ input: { orderId, customer }, results, ...call }) => {
    // Undefined where the case was not taken, null where nobody checked in time.
    if (results.checked === null || results.checked === false) throw new Error("The order was not approved.");
    return postToShop("/shipments", { orderId, customer, reservationId: results.prepare.goods.id }, call);
  })
  .build();
