// Waiting: for a span of time and until a date. A run that sleeps is a row in Postgres; deploy, restart
// or kill the worker meanwhile, and it wakes up all the same.
import { defineWorkflow } from "pawl";
import * as z from "zod";

const Trial = z.object({ shop: z.url(), email: z.email(), seconds: z.int().positive().max(86_400) });

export const trial = defineWorkflow(
  { name: "trial", version: 1, input: Trial },
  async ({ input: { shop, email, seconds }, step }) => {
    const tell = (text: string) =>
      step.run("send message", async ({ idempotencyKey, signal }) => {
        const response = await fetch(`${shop}/messages`, {
          method: "POST",
          headers: { "Idempotency-Key": idempotencyKey },
          body: JSON.stringify({ to: email, text }),
          signal,
        });
        if (!response.ok) throw new Error(`The shop answered ${response.status}.`);
      });

    // Read the clock in a step: its result is kept, and the run that wakes up sees the same date.
    const { endsAt } = await step.run("start trial", async () => {
      return { endsAt: new Date(Date.now() + seconds * 1000) };
    });

    await tell(`Your trial ends at ${endsAt.toISOString()}.`);
    await step.sleepUntil("trial ends", endsAt);
    await tell("Your trial has ended. Your data is kept a little longer.");
    await step.sleep("grace period", { seconds });
    await tell("Your data was deleted.");
    return { endsAt };
  },
);
