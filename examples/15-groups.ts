// Runs that belong together. Each joins the group by itself; one signal to the group reaches every member. The end of
// a run takes it out of its groups.
import { defineWorkflow } from "pawl";
import * as z from "zod";
import { postToShop } from "../src/workflows/shop.ts";

const Parcel = z.object({ orderId: z.string().min(1), email: z.email(), truck: z.string().min(1) });

export const followParcel = defineWorkflow(
  { name: "follow-parcel", version: 1, input: Parcel },
  async ({ input: { orderId, email, truck }, step, run }) => {
    await run.join(`truck ${truck}`);

    // Signals to a group and signals to this run alone are the same here.
    const news = await step.waitForSignal<string>("news", { timeout: "2 days" });
    await run.leave(`truck ${truck}`);

    const text = news === null ? `Order ${orderId} is lost.` : `Order ${orderId}: ${news}`;
    await step.run("tell customer", (call) => postToShop("/messages", { to: email, text }, call));
    return text;
  },
);
