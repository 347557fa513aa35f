// A change that runs under way cannot follow, beside the code that they began with. A run keeps the version it was
// started with; new ones get the newest. Once no run of the old version is left, it can go.
import { defineWorkflow } from "pawl";
import * as z from "zod";
import { postToShop } from "../src/workflows/shop.ts";

const Welcome = z.object({ email: z.email() });

export const welcomeV1 = defineWorkflow(
  { name: "welcome", version: 1, input: Welcome },
  async ({ input: { email }, step }) => {
    await step.run("send welcome", (call) => postToShop("/messages", { to: email, text: "Welcome!" }, call));
    await step.sleep("first week", "7 days");
    await step.run("ask for opinion", (call) =>
      postToShop("/messages", { to: email, text: "How do you like it?" }, call),
    );
    return "asked after a week";
  },
);

/** Asks sooner, and only who did not tell by themselves: other names in another order, which v1's journals do not fit. */
export const welcomeV2 = defineWorkflow(
  { name: "welcome", version: 2, input: Welcome },
  async ({ input: { email }, step }) => {
    await step.run("send welcome", (call) => postToShop("/messages", { to: email, text: "Welcome!" }, call));
    const opinion = await step.waitForSignal<string>("opinion", { timeout: "2 days" });
    if (opinion !== null) return opinion;
    await step.run("ask for opinion", (call) =>
      postToShop("/messages", { to: email, text: "How do you like it so far?" }, call),
    );
    return "asked after two days";
  },
);
