// A call that may fail: which failures are worth another try, how often and how long apart, and what the
// workflow does when all tries are used up.
import { defineWorkflow, NonRetryableError, RetryableError } from "pawl";
import * as z from "zod";

const Charge = z.object({
  shop: z.url(),
  orderId: z.string().min(1),
  email: z.email(),
  amount: z.int().positive().describe("cents"),
});

export const chargeCard = defineWorkflow(
  { name: "charge-card", version: 1, input: Charge },
  async ({ input: { shop, ...charge }, step }) => {
    try {
      const payment = await step.run(
        "charge card",
        async ({ idempotencyKey, attempt, signal }) => {
          const response = await fetch(`${shop}/charges`, {
            method: "POST",
            // The same on every attempt: if only the answer was lost, nobody is charged twice.
            headers: { "Idempotency-Key": idempotencyKey },
            body: JSON.stringify(charge),
            // Ends the request when the timeout below is over.
            signal,
          });
          if (response.status === 422) throw new NonRetryableError("The card was declined.");
          if (response.status === 429) {
            const seconds = Number(response.headers.get("Retry-After") ?? 5);
            throw new RetryableError("The shop is busy.", { retryAfter: { seconds } });
          }
          if (!response.ok) throw new Error(`The shop answered ${response.status}.`);
          const { id } = z.object({ id: z.string() }).parse(await response.json());
          return { id, attempt };
        },
        {
          retry: { maxAttempts: 4, delay: "1 second", backoff: "exponential", maxDelay: "10 seconds" },
          timeout: "5 seconds",
        },
      );
      return { charged: true, payment };
    } catch (error) {
      // Only a step that failed for good comes here; a wait for the next try does not.
      return { charged: false, reason: String(error) };
    }
  },
);
