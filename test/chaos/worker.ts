/** The worker as in `src/index.ts`, with the workflows of the chaos and the tests' queue broker. */
import { WorkerEntrypoint } from "cloudflare:workers";
import type { LeasedBranch } from "../../src/runtime/perform-branch.ts";
import type { LeasedTurn } from "../../src/runtime/take-turn.ts";
import { createWorker } from "../../src/wiring.ts";
import { brokered, type FixtureEnv } from "../worker/fixture/brokered.ts";
import { fixtureHandlers } from "../worker/fixture/handlers.ts";
import { workflows } from "./workflows.ts";

const worker = createWorker(workflows);

export class Turn extends WorkerEntrypoint<FixtureEnv> {
  take(turn: LeasedTurn) {
    return worker.takeTurn(brokered(this.env), turn);
  }

  perform(branch: LeasedBranch) {
    return worker.performBranch(brokered(this.env), branch);
  }
}

export default fixtureHandlers(worker);
