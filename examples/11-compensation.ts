// A saga: each step says how it is undone. When the run fails, those that completed are undone, the last one first;
// the run then ends as failed, with the error that began it.
import { defineWorkflow } from "pawl";
import * as z from "zod";
import { postToShop } from "../src/workflows/shop.ts";

const Trip = z.object({
  orderId: z.string().min(1),
  email: z.email(),
  amount: z.int().positive().describe("cents"),
  extras: z.array(z.string().min(1)).min(1),
});

const DESK = "desk@example.com";

export const bookTrip = defineWorkflow(
  { name: "book-trip", version: 1, input: Trip },
  async ({ input: { orderId, email, amount, extras }, step }) => {
    await step.run("charge card", (call) => postToShop("/charges", { orderId, email, amount }, call), {
      // It gets what its step returned. Like every step it may run twice: pass its own idempotency key on.
      compensate: ({ output, ...call }) =>
        postToShop("/messages", { to: DESK, text: `Refund ${output.id}` }, call),
    });

    // A throw may also be the workflow's own decision. What is caught undoes nothing.
    if (extras.length > 5) throw new Error("Nobody can carry that much.");

    await step.map(
      "reserve extra",
      extras,
      (sku, call) => postToShop("/reservations", { orderId, lines: [{ sku, quantity: 1 }] }, call),
      {
        compensate: ({ output, ...call }) =>
          postToShop("/messages", { to: DESK, text: `Release ${output.id}` }, call),
      },
    );
    return { booked: extras.length };
  },
);
