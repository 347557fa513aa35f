// The time, chance and ids: a workflow must not ask the process for them, because it is run again and again and has
// to decide the same each time. These are journaled, before any step sees them: every replay sees the first answer.
import { defineWorkflow } from "pawl";
import * as z from "zod";
import { postToShop } from "../src/workflows/shop.ts";

export const drawCoupon = defineWorkflow(
  { name: "draw-coupon", version: 1, input: z.object({ email: z.email() }) },
  async ({ input: { email }, step }) => {
    const drawnAt = await step.now();
    const percent = (await step.random()) < 0.1 ? 50 : 10;
    const code = (await step.uuid()).slice(0, 8).toUpperCase();

    const endsAt = new Date(drawnAt.getTime() + 7 * 86_400_000);
    await step.run("send coupon", (call) => {
      const text = `${code}: ${percent}% until ${endsAt.toISOString()}`;
      return postToShop("/messages", { to: email, text }, call);
    });
    await step.sleepUntil("coupon ends", endsAt);

    // A week and any number of replays later they are still what they were.
    return { code, percent, drawnAt, endsAt };
  },
);
