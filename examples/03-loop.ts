// A loop whose steps share a name: the journal tells them apart as "reserve article", "reserve article#2"
// and so on. One that fails for good is caught, and the loop goes on.
import { defineWorkflow, NonRetryableError } from "pawl";
import * as z from "zod";

const Basket = z.object({
  shop: z.url(),
  orderId: z.string().min(1),
  lines: z.array(z.object({ sku: z.string().min(1), quantity: z.int().positive() })).min(1),
});

export const reserveBasket = defineWorkflow(
  { name: "reserve-basket", version: 1, input: Basket },
  async ({ input: { shop, orderId, lines }, step }) => {
    const reserved: string[] = [];
    const missing: string[] = [];
    for (const line of lines) {
      try {
        const id = await step.run("reserve article", async ({ idempotencyKey, signal }) => {
          const response = await fetch(`${shop}/reservations`, {
            method: "POST",
            headers: { "Idempotency-Key": idempotencyKey },
            body: JSON.stringify({ orderId, lines: [line] }),
            signal,
          });
          if (response.status === 422) throw new NonRetryableError(`${line.sku} is sold out.`);
          if (!response.ok) throw new Error(`The shop answered ${response.status}.`);
          return z.object({ id: z.string() }).parse(await response.json()).id;
        });
        reserved.push(id);
      } catch {
        missing.push(line.sku);
      }
    }
    return { reserved, missing };
  },
);
