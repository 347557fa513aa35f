/** The worker as in `src/index.ts`, with the workflows of the examples and the tests' queue broker. */
import { WorkerEntrypoint } from "cloudflare:workers";
import { workflows } from "../../examples/index.ts";
import type { LeasedBranch } from "../../src/runtime/perform-branch.ts";
import type { LeasedTurn } from "../../src/runtime/take-turn.ts";
import { createWorker } from "../../src/wiring.ts";
import { brokered, type FixtureEnv } from "../worker/fixture/brokered.ts";

const worker = createWorker(workflows);

export class Turn extends WorkerEntrypoint<FixtureEnv> {
  take(turn: LeasedTurn) {
    return worker.takeTurn(brokered(this.env), turn);
  }

  perform(branch: LeasedBranch) {
    return worker.performBranch(brokered(this.env), branch);
  }
}

export default {
  fetch: (request, env, ctx) => worker.fetch(request, brokered(env), ctx),
  queue: (batch, env, ctx) => worker.queue(batch, brokered(env), ctx),
  scheduled: (controller, env) => worker.scheduled(controller, brokered(env)),
} satisfies ExportedHandler<FixtureEnv>;
