// A signal: something that somebody outside says to a run. The run is parked, without any process, until it arrives
// or the time is up. One that came before the run waits for it counts.
import { defineWorkflow } from "pawl";
import * as z from "zod";
import { postToShop } from "../src/workflows/shop.ts";

const Refund = z.object({ orderId: z.string().min(1), email: z.email(), amount: z.int().positive() });

/** What does not fit fails the step instead of reaching the code below. */
const Decision = z.object({ approved: z.boolean(), by: z.string().min(1) });

export const approveRefund = defineWorkflow(
  { name: "approve-refund", version: 1, input: Refund },
  async ({ input: { orderId, email, amount }, step, run }) => {
    const tell = (to: string, text: string) =>
      step.run("send message", (call) => postToShop("/messages", { to, text }, call));

    await tell("accounting@example.com", `Refund ${amount} for order ${orderId}? Run ${run.id}`);

    let decision = await step.waitForSignal("decision", { timeout: "2 days", schema: Decision });
    if (decision === null) {
      await tell("head-of-accounting@example.com", `Nobody has decided on order ${orderId}. Run ${run.id}`);
      // Another wait for the same signal: it needs a name of its own only to be told apart in the journal.
      decision = await step.waitForSignal("late decision", { signal: "decision", schema: Decision });
    }

    await tell(email, decision.approved ? "Your money is on its way." : "We cannot refund this order.");
    return decision;
  },
);
