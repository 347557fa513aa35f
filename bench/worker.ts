/** The worker under measurement: the product's own handlers, with workflows whose steps do nothing. */
import { WorkerEntrypoint } from "cloudflare:workers";
import * as z from "zod";
import type { Env } from "../src/env.ts";
import { defineWorkflow } from "../src/pawl.ts";
import type { LeasedBranch } from "../src/runtime/perform-branch.ts";
import type { LeasedTurn } from "../src/runtime/take-turn.ts";
import { createWorker } from "../src/wiring.ts";
import { output, perform } from "./work.ts";

const sequence = defineWorkflow(
  {
    name: "sequence",
    input: z.object({
      steps: z.number().int(),
      parallel: z.boolean().optional(),
      bytes: z.number().int().optional(),
      napMs: z.number().int().optional(),
    }),
  },
  async ({ input: { steps, parallel = false, bytes = 0, napMs }, step }) => {
    // Beside a sleep a step gives the time it was done at, since the journal knows only when that was recorded.
    const body = () => (napMs === undefined ? output(bytes) : Date.now());
    await perform(
      { steps, parallel, ...(napMs === undefined ? {} : { napMs }) },
      { run: () => step.run("no-op", body), sleep: (ms) => step.sleep("nap", ms) },
    );
  },
);

const nap = defineWorkflow({ name: "nap", input: z.object({ ms: z.number() }) }, async ({ input, step }) =>
  step.sleep("nap", input.ms),
);

const worker = createWorker([sequence, nap]);

export class Turn extends WorkerEntrypoint<Env> {
  take(turn: LeasedTurn) {
    return worker.takeTurn(this.env, turn);
  }

  perform(branch: LeasedBranch) {
    return worker.performBranch(this.env, branch);
  }
}

export default {
  fetch: worker.fetch,
  queue: worker.queue,
  scheduled: worker.scheduled,
} satisfies ExportedHandler<Env>;
