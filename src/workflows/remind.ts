// Sends one message a day. Between two days nothing runs and nothing is held: the run is a row in Postgres.
import { defineWorkflow } from "pawl";
import * as z from "zod";
import { postToShop } from "./shop.ts";

const Reminder = z.object({
  email: z.email(),
  message: z.string().min(1),
  days: z.int().min(1).max(30),
});

export const remind = defineWorkflow(
  { name: "remind", version: 1, input: Reminder },
  async ({ input: { email, message, days }, step }) => {
    for (let day = 1; day <= days; day++) {
      const text = `${message} (day ${day} of ${days})`;
      await step.run("send message", (call) => postToShop("/messages", { to: email, text }, call));
      if (day < days) await step.sleep("until tomorrow", "1 day");
    }
    return { sent: days };
  },
);
