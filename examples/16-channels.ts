// Messages between runs that do not know each other. Every subscriber of a broadcast gets every message; of competing
// subscribers each message reaches one; a direct message names the run that gets it. A channel keeps the mode of its
// first subscriber; what was published before waits for a competing one.
import { defineWorkflow } from "pawl";
import * as z from "zod";

const Price = z.object({ sku: z.string(), cents: z.int().positive() });

/** Broadcast: waits until the price of an article is low enough. */
export const watchPrice = defineWorkflow(
  { name: "watch-price", version: 1, input: Price },
  async ({ input: { sku, cents }, step }) => {
    await step.subscribe("prices");
    for (;;) {
      const price = await step.receive("prices", { schema: Price, timeout: "30 days" });
      if (price === null) return { bought: false };
      if (price.sku === sku && price.cents <= cents) return { bought: true, at: price.cents };
    }
  },
);

const Job = z.object({ from: z.string(), box: z.string() });

/** Competing: packs what comes until nothing has come for an hour. */
export const packer = defineWorkflow({ name: "packer", version: 1 }, async ({ step, run }) => {
  await step.subscribe("boxes to pack", { mode: "competing" });
  for (let packed = 0; ; packed++) {
    const job = await step.receive("boxes to pack", { schema: Job, timeout: "1 hour" });
    if (job === null) return { packed };
    await step.publish("packed boxes", { box: job.box, by: run.id }, { to: job.from });
  }
});

/** Direct: hands out boxes, and hears of each what became of it. */
export const loadTruck = defineWorkflow(
  { name: "load-truck", version: 1, input: z.object({ boxes: z.array(z.string().min(1)).min(1).max(100) }) },
  async ({ input: { boxes }, step, run }) => {
    // First, or an answer could come before anybody listens.
    await step.subscribe("packed boxes", { mode: "direct" });
    for (const box of boxes) await step.publish("boxes to pack", { from: run.id, box });
    const loaded: { box: string; by: string }[] = [];
    while (loaded.length < boxes.length) loaded.push(await step.receive("packed boxes"));
    return loaded;
  },
);
