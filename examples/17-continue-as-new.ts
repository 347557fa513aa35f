// A run that lives for years. Its journal would grow with every round; `continueAsNew` ends the run and goes on as
// another one with an empty journal, in one commit. What it needs to remember is its input.
import { defineWorkflow } from "pawl";
import * as z from "zod";
import { errorFrom } from "../src/workflows/shop.ts";

const Watch = z.object({
  url: z.url(),
  every: z.int().positive().default(3_600).describe("seconds"),
  rounds: z.int().positive().default(100).describe("of one run"),
  size: z.int().default(0),
  changes: z.int().default(0),
});

export const watchFeed = defineWorkflow(
  { name: "watch-feed", version: 1, input: Watch },
  async ({ input, step }) => {
    let { size, changes } = input;
    for (let round = 0; round < input.rounds; round++) {
      const seen = await step.run("look", async ({ signal }) => {
        const response = await fetch(input.url, { signal });
        if (!response.ok) throw await errorFrom(response, `GET ${input.url}`);
        return (await response.text()).length;
      });
      if (seen !== size) changes += 1;
      size = seen;
      // Sleeps, unless somebody says stop. A signal that comes too late for this run reaches the one that goes on.
      const stop = await step.waitForSignal("stop", { timeout: { seconds: input.every } });
      if (stop !== null) return { changes };
    }
    return step.continueAsNew({ ...input, size, changes });
  },
);
