// For a call that must never happen twice and takes no idempotency key. The attempt is noted before the body begins.
// When the worker dies in the middle, nobody knows how far it came: the run waits until a person says.
import { defineWorkflow, StepFailed } from "pawl";
import * as z from "zod";
import { postToShop } from "../src/workflows/shop.ts";

const Payout = z.object({ orderId: z.string().min(1), email: z.email(), amount: z.int().positive() });

export const payOut = defineWorkflow(
  { name: "pay-out", version: 1, input: Payout },
  async ({ input: { orderId, email, amount }, step }) => {
    try {
      const transfer = await step.run(
        "transfer money",
        // What a person says was its output must have this shape, too.
        (call) => postToShop("/charges", { orderId, email, amount }, call),
        { atMostOnce: true, timeout: "1 minute" },
      );
      return { paid: true, transfer: transfer.id };
    } catch (error) {
      if (!(error instanceof StepFailed)) throw error;
      // The body threw or ran into its timeout, and is not tried again. After a timeout, ask the bank first.
      return { paid: false, reason: error.failure.message };
    }
  },
);
