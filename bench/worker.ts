/** The worker under measurement: the product's own handlers, with workflows whose steps do nothing. */
import { WorkerEntrypoint } from "cloudflare:workers";
import * as z from "zod";
import type { Env } from "../src/env.ts";
import { defineWorkflow } from "../src/pawl.ts";
import type { LeasedBranch } from "../src/runtime/perform-branch.ts";
import type { LeasedTurn } from "../src/runtime/take-turn.ts";
import { createWorker } from "../src/wiring.ts";

const sequence = defineWorkflow(
  { name: "sequence", input: z.object({ steps: z.number().int() }) },
  async ({ input, step }) => {
    for (let i = 0; i < input.steps; i++) await step.run("no-op", () => null);
  },
);

const parallel = defineWorkflow(
  { name: "parallel", input: z.object({ steps: z.number().int() }) },
  async ({ input, step }) => {
    await Promise.all(Array.from({ length: input.steps }, () => step.run("no-op", () => null)));
  },
);

const nap = defineWorkflow({ name: "nap", input: z.object({ ms: z.number() }) }, async ({ input, step }) =>
  step.sleep("nap", input.ms),
);

const worker = createWorker([sequence, parallel, nap]);

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
