// Charges a card, reserves the goods, waits, ships. A step that fails is tried again with the same
// idempotency key, so the shop does each of them once; a declined card ends the run at once.
import { defineWorkflow } from "pawl";
import * as z from "zod";
import { postToShop } from "./shop.ts";

const Order = z.object({
  orderId: z.string().min(1),
  customer: z.string().min(1),
  email: z.email(),
  lines: z
    .array(
      z.object({
        sku: z.string().min(1),
        quantity: z.int().positive(),
        unitPrice: z.int().nonnegative().describe("cents"),
      }),
    )
    .min(1),
});

const patiently = {
  retry: { maxAttempts: 5, delay: "1 second", backoff: "exponential", maxDelay: "1 minute" },
  timeout: "20 seconds",
} as const;

export const fulfilOrder = defineWorkflow(
  { name: "fulfil-order", version: 1, input: Order },
  async ({ input: { orderId, customer, email, lines }, step }) => {
    const total = lines.reduce((sum, line) => sum + line.quantity * line.unitPrice, 0);

    const payment = await step.run(
      "charge card",
      (call) => postToShop("/charges", { orderId, email, amount: total }, call),
      patiently,
    );

    const reservation = await step.run(
      "reserve goods",
      (call) => postToShop("/reservations", { orderId, lines }, call),
      patiently,
    );

    await step.sleep("cooling off", "2 seconds");

    const shipment = await step.run(
      "ship parcel",
      (call) => postToShop("/shipments", { orderId, customer, reservationId: reservation.id }, call),
      patiently,
    );

    return { paymentId: payment.id, reservationId: reservation.id, shipmentId: shipment.id, total };
  },
);
