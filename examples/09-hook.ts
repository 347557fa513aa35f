// A one-time address. Whoever has it can resume this run, once, without a token: a link in a mail, or the callback
// of a payment provider. It is derived from the run, so nothing secret is stored.
import { defineWorkflow } from "pawl";
import * as z from "zod";
import { postToShop } from "../src/workflows/shop.ts";

export const confirmEmail = defineWorkflow(
  { name: "confirm-email", version: 1, input: z.object({ email: z.email() }) },
  async ({ input: { email }, step }) => {
    const hook = await step.hook("confirmation", { expires: "3 days" });

    await step.run("send link", (call) =>
      postToShop("/messages", { to: email, text: `Confirm your address: POST ${hook.url}` }, call),
    );

    // The hook expires for whoever posts to it; the timeout is how long this run waits.
    const answer = await hook.received({ timeout: "3 days", schema: z.object({ newsletter: z.boolean() }) });
    if (answer === null) return { confirmed: false };
    return { confirmed: true, newsletter: answer.newsletter };
  },
);
