// Limits of time. `timeout` ends one attempt, `heartbeat` ends one that has stopped making progress, and the deadline
// that a run was started with ends the run. Each aborts `signal`: pass it on, and stop.
import { defineWorkflow, StepFailed } from "pawl";
import * as z from "zod";

export const countFeed = defineWorkflow(
  { name: "count-feed", version: 1, input: z.object({ url: z.url() }) },
  async ({ input: { url }, step }) => {
    try {
      const bytes = await step.run(
        "read the feed",
        async ({ signal, heartbeat }) => {
          let count = 0;
          for (let page: string | null = url; page !== null; ) {
            const response: Response = await fetch(page, { signal });
            if (!response.ok) throw new Error(`The feed answered ${response.status}.`);
            count += (await response.bytes()).length;
            const next = /<([^>]*)>;\s*rel="next"/.exec(response.headers.get("Link") ?? "")?.[1];
            page = next === undefined ? null : new URL(next, page).href;
            // Renews the lease as well, and rejects when another invocation has taken over.
            await heartbeat();
          }
          return count;
        },
        { timeout: "10 minutes", heartbeat: "20 seconds", retry: { maxAttempts: 2, delay: "1 minute" } },
      );
      return { bytes };
    } catch (error) {
      if (!(error instanceof StepFailed)) throw error;
      // `step_timed_out` or `heartbeat_missed`, or what the body threw. A deadline is not caught: the run is over.
      return { failed: error.failure.code };
    }
  },
);
