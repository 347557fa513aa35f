// Side by side: steps under `Promise.all` run at the same time, each in an invocation of its own. A race with a
// sleep gives up on a step that takes too long, without failing it.
import { defineWorkflow } from "pawl";
import * as z from "zod";
import { postToShop } from "../src/workflows/shop.ts";

const Order = z.object({
  orderId: z.string().min(1),
  email: z.email(),
  amount: z.int().positive().describe("cents"),
  sku: z.string().min(1),
  patience: z.int().positive().default(60).describe("seconds"),
});

export const checkOut = defineWorkflow(
  { name: "check-out", version: 1, input: Order },
  async ({ input: { orderId, email, amount, sku, patience }, step }) => {
    // Fails with the first that fails; the other runs to its end all the same.
    const [payment, reservation] = await Promise.all([
      step.run("charge card", (call) => postToShop("/charges", { orderId, email, amount }, call)),
      step.run("reserve goods", (call) =>
        postToShop("/reservations", { orderId, lines: [{ sku, quantity: 1 }] }, call),
      ),
    ]);

    // Whoever is first in the journal has won, in every replay.
    const receipt = await Promise.race([
      step.run("send receipt", (call) =>
        postToShop("/messages", { to: email, text: `Paid: ${payment.id}` }, call),
      ),
      step.sleep("patience", { seconds: patience }).then(() => null),
    ]);

    return { payment: payment.id, reservation: reservation.id, receipt: receipt?.id ?? "not confirmed" };
  },
);
