/**
 * The worker. What each handler does is in the folder of its name; what they are made of, in `wiring.ts`. That is
 * imported before the workflows: see `determinism.ts`.
 */
import { WorkerEntrypoint } from "cloudflare:workers";
import type { Env } from "./env.ts";
import type { LeasedBranch } from "./runtime/perform-branch.ts";
import type { LeasedTurn } from "./runtime/take-turn.ts";
import { createWorker } from "./wiring.ts";
import { workflows } from "./workflows/index.ts";

const worker = createWorker(workflows);

/** One turn, or one branch, in an invocation of its own, called by the queue consumer through a loopback. */
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
