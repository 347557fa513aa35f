import type { Transactions } from "../../../src/engine/ports.ts";
import type { Transaction } from "../../../src/engine/workflow.ts";
import { deliverOne } from "./deliver.ts";
import { heldBranch } from "./leases.ts";
import { emit } from "./outbox.ts";
import { findRun, type State, tenantOf } from "./tables.ts";

/** There is no database behind it: a body that uses its `tx` fails. */
const NO_DATABASE = Object.freeze({}) as Transaction;

/** I2: of a branch whose lease was lost nothing is written, whatever its body did. */
export function createTransactions(state: State): Transactions {
  return {
    async run(branch, _, signal, work) {
      signal.throwIfAborted();
      const { output, events } = await work(NO_DATABASE);
      signal.throwIfAborted();
      const { tenant, runId, key: name, branchTurn, attempt } = branch;
      const run = findRun(state, tenant, runId);
      const held = heldBranch(state, branch, branchTurn);
      if (run === undefined || held === undefined) return false;
      run.branches.delete(name);
      const { attempts } = held;
      deliverOne(state, run, {
        kind: "branch",
        name,
        outcome: "completed",
        attempt,
        attempts,
        payload: output,
      });
      for (const event of events) emit(state, tenantOf(state, tenant), run, event);
      return true;
    },
  };
}
