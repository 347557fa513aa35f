// One step for each item of a list, so many at once, each tried again by itself. `tolerate` says how many may fail:
// up to then the workflow is told what became of each; one more fails the map.
import { defineWorkflow } from "pawl";
import * as z from "zod";
import { postToShop } from "../src/workflows/shop.ts";

const Recall = z.object({
  lot: z.string().min(1),
  customers: z.array(z.string().min(1)).min(1).max(5_000),
});

export const recallLot = defineWorkflow(
  { name: "recall-lot", version: 1, input: Recall },
  async ({ input: { lot, customers }, step }) => {
    const letters = await step.map(
      "warn customer",
      customers,
      (customer, { index, ...call }) =>
        postToShop("/messages", { to: customer, text: `Letter ${index + 1}: do not use lot ${lot}.` }, call),
      { concurrency: 20, tolerate: customers.length, retry: { maxAttempts: 2, delay: "5 seconds" } },
    );

    const missed = customers.filter((_, i) => letters[i]?.status === "rejected");

    // Without `tolerate` the first item that fails for good fails the map, and the results are plain.
    const calls = await step.map("ask for a call", missed, (customer, call) =>
      postToShop("/messages", { to: "service@example.com", text: `Please call ${customer}.` }, call),
    );

    return { warned: customers.length - missed.length, missed, calls: calls.length };
  },
);
