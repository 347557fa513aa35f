// How far a run has come, for others to see: `GET /api/runs/:id/state`. Each is written by the commit of the turn in
// which it was said, so it never tells of something that did not happen. The run itself does not read it.
import { defineWorkflow } from "pawl";
import * as z from "zod";
import { postToShop } from "../src/workflows/shop.ts";

const Stock = z.object({ email: z.email(), shelves: z.array(z.string().min(1)).min(1).max(200) });

export const takeStock = defineWorkflow(
  { name: "take-stock", version: 1, input: Stock },
  async ({ input: { email, shelves }, step, run }) => {
    await run.set("phase", "counting");
    for (const [i, shelf] of shelves.entries()) {
      await step.run("count shelf", (call) =>
        postToShop("/messages", { to: email, text: `Please count shelf ${shelf}.` }, call),
      );
      await run.set("progress", { done: i + 1, of: shelves.length });
      // Adds to a list, without reading what is there.
      await run.append("log", `${shelf} is asked for`);
    }
    await run.set("phase", "waiting for the counts");
    await step.waitForSignal("counted");
    await run.set("phase", "done");
  },
);
