// Runs that start runs. `invoke` waits for what the child returns; however else it ends, it rejects with
// `ChildFailed`, which can be caught. `start` waits for nobody.
import { ChildFailed, defineWorkflow } from "pawl";
import * as z from "zod";
import { postToShop } from "../src/workflows/shop.ts";

const Article = z.object({ orderId: z.string().min(1), sku: z.string().min(1) });

/** Started by itself, too: a child is a workflow like any other. */
export const packArticle = defineWorkflow(
  { name: "pack-article", version: 1, input: Article },
  async ({ input: { orderId, sku }, step }) => {
    const reservation = await step.run("reserve", (call) =>
      postToShop("/reservations", { orderId, lines: [{ sku, quantity: 1 }] }, call),
    );
    return reservation.id;
  },
);

export const packOrder = defineWorkflow(
  {
    name: "pack-order",
    version: 1,
    input: z.object({ orderId: z.string().min(1), skus: z.array(z.string().min(1)).min(1).max(50) }),
  },
  async ({ input: { orderId, skus }, step }) => {
    const packed: string[] = [];
    const missing: string[] = [];
    await Promise.all(
      skus.map(async (sku) => {
        try {
          packed.push(
            await step.invoke("pack article", packArticle, { orderId, sku }, { deadline: "1 hour" }),
          );
        } catch (error) {
          if (!(error instanceof ChildFailed)) throw error;
          missing.push(`${sku}: ${error.status}`);
        }
      }),
    );

    // It begins in ten minutes and outlives this run.
    const again = { orderId, sku: skus[0] ?? "" };
    const later = await step.start("look again", packArticle, again, {
      delay: "10 minutes",
      tags: [orderId],
    });
    return { packed, missing, later };
  },
);
