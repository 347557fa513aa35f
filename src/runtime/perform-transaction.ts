import type { BranchOutcome } from "../engine/branch.ts";
import { type Encoded, encode } from "../engine/codec.ts";
import type { StepEdge } from "../engine/edge.ts";
import { StoreUnavailable } from "../engine/errors.ts";
import { type CloudEvent, type NewEvent, toCloudEvent } from "../engine/event.ts";
import type { ClaimedBranch } from "../engine/run.ts";
import type { StepContext, TransactionBody } from "../engine/workflow.ts";
import { outcomeOf, toBranchOutcome } from "./branch-outcome.ts";
import { askForDelivery } from "./deliver-events.ts";
import type { Lease } from "./lease.ts";
import { type Outcome, performStep } from "./perform-step.ts";
import type { Runtime } from "./runtime.ts";

/**
 * One attempt of a `step.transaction`: its writes, its events and the delivery to the run commit together or not
 * at all. A failure is written outside the rollback, like any branch's. Null when the lease was lost, or when
 * nobody knows whether the commit took effect: then the branch's row says so.
 */
export async function performTransaction(
  runtime: Runtime,
  branch: ClaimedBranch,
  edge: StepEdge,
  body: TransactionBody,
  lease: Lease,
): Promise<BranchOutcome | null> {
  const state: State = { committed: false, unknown: false, events: 0 };
  let underWay: Promise<void> = Promise.resolve();
  const perform = (context: StepContext) => {
    underWay = runOnce(runtime, branch, edge, body, context, state, lease);
    return underWay;
  };
  let outcome: Outcome | undefined;
  let thrown: unknown;
  try {
    outcome = await performStep(runtime, branch.run, edge, lease, perform);
  } catch (error) {
    thrown = error;
  }
  // A step that timed out, or lost its lease, while the commit was on its way: the answer counts.
  await underWay.catch(() => {});
  if (state.committed) {
    if (state.events > 0) await askForDelivery(runtime);
    return outcomeOf(branch, "delivered");
  }
  if (outcome === undefined) throw thrown;
  return state.unknown ? null : toBranchOutcome(branch, outcome);
}

interface State {
  committed: boolean;
  unknown: boolean;
  events: number;
}

async function runOnce(
  runtime: Runtime,
  branch: ClaimedBranch,
  { work }: StepEdge,
  body: TransactionBody,
  context: StepContext,
  state: State,
  lease: Lease,
): Promise<void> {
  const isolation = (work.by === "transaction" && work.isolation) || "read committed";
  try {
    state.committed = await runtime.transactions.run(branch, isolation, context.signal, async (tx) => {
      const given = await workOf(branch, body, tx, context);
      state.events = given.events.length;
      return given;
    });
  } catch (error) {
    state.unknown = error instanceof StoreUnavailable;
    throw error;
  }
  if (!state.committed) throw lease.lost();
}

async function workOf(
  branch: ClaimedBranch,
  body: TransactionBody,
  tx: Parameters<TransactionBody>[0],
  context: StepContext,
): Promise<{ output: Encoded | null; events: CloudEvent[] }> {
  const events: CloudEvent[] = [];
  const { idempotencyKey, attempt, signal } = context;
  const emit = (event: NewEvent) => {
    const id = `${branch.runId}/${encodeURIComponent(branch.key)}/${events.length + 1}`;
    events.push(toCloudEvent(id, event));
  };
  const output = await body(tx, { idempotencyKey, attempt, signal, emit });
  return {
    output: output === undefined ? null : encode(output, `The output of step "${branch.key}"`),
    // What it emits after it has returned comes too late.
    events: [...events],
  };
}
