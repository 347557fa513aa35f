/**
 * One branch, in an invocation of its own: replay its run to where the step was asked for, perform one attempt
 * of it, give the outcome. The dispatcher delivers it to the run, whose turn alone decides what follows.
 *
 * If the invocation dies on any line here, the branch's lease runs out and the sweep takes it back.
 */
import type { BranchOutcome } from "../engine/branch.ts";
import { decode } from "../engine/codec.ts";
import type { StepEdge } from "../engine/edge.ts";
import { DeadlineExceeded, JournalMismatch, LeaseLost } from "../engine/errors.ts";
import { toFailure } from "../engine/failure.ts";
import { Replay } from "../engine/plan/replay.ts";
import type { ClaimedBranch, ClaimedRun } from "../engine/run.ts";
import { outcomeOf, toBranchOutcome } from "./branch-outcome.ts";
import { branchLease } from "./lease.ts";
import { performStep } from "./perform-step.ts";
import { performTransaction } from "./perform-transaction.ts";
import { workOf } from "./platform.ts";
import { readJournal } from "./read-journal.ts";
import type { Runtime } from "./runtime.ts";

/** A claimed branch on its way to its own invocation. */
export interface LeasedBranch {
  readonly branch: ClaimedBranch;
  /** By this worker's clock, a lower bound of when the lease runs out. */
  readonly leaseUntil: number;
}

/** Null when the lease was lost, or the run's deadline has passed: then there is nothing to write. */
export async function performBranch(
  runtime: Runtime,
  { branch, leaseUntil }: LeasedBranch,
): Promise<BranchOutcome | null> {
  try {
    const edge = await findStep(runtime, branch);
    if (runtime.clock.now() >= leaseUntil) return null;
    return await attempt(runtime, branch, edge);
  } catch (error) {
    if (error instanceof LeaseLost || error instanceof DeadlineExceeded) return null;
    if (error instanceof Stuck) return outcomeOf(branch, "dead", { failure: toFailure(error.cause) });
    throw error;
  }
}

/** The run cannot be replayed to its step. */
class Stuck extends Error {}

async function findStep(runtime: Runtime, branch: ClaimedBranch): Promise<StepEdge> {
  const { attempt, spent } = branch;
  const edge = warmStep(runtime, branch) ?? (await replayedStep(runtime, branch));
  return { ...edge, attempt, spent };
}

/** The step in a function that rests here for what was asked for together. */
function warmStep({ warmBranches }: Runtime, branch: ClaimedBranch): StepEdge | null {
  // What other bodies left in a function that they share may be what this one failed of, or waited for in vain.
  if (branch.branchTurn > 1) return null;
  const edge = warmBranches?.find(branch)?.openStep(branch.key);
  return edge?.askedAt === branch.askedAt ? edge : null;
}

async function replayedStep(runtime: Runtime, branch: ClaimedBranch): Promise<StepEdge> {
  const { key } = branch;
  const run = await withJournal(runtime, branch);
  try {
    const workflow = runtime.registry.find(run.workflow, run.version);
    const planner = new Replay(workflow, run, runtime.clock.rest, runtime.hooks);
    const plan = await planner.start(decode(run.input));
    if (plan.state === "stuck") throw plan.error;
    const edge = planner.openStep(key);
    if (edge === undefined) {
      const asked = planner.openEdges().map((open) => open.key);
      throw JournalMismatch.notReached(key, "step", asked);
    }
    runtime.warmBranches?.keep({ ...branch, run }, planner);
    return edge;
  } catch (cause) {
    throw new Stuck("the step cannot be reached", { cause });
  }
}

/** The run with its journal up to where the step was asked for. */
async function withJournal(runtime: Runtime, { run, askedAt }: ClaimedBranch): Promise<ClaimedRun> {
  if (!run.partial) return run;
  const journal = (await readJournal(runtime, run, { upTo: askedAt })) ?? [];
  return { ...run, journal, partial: false };
}

async function attempt(
  runtime: Runtime,
  branch: ClaimedBranch,
  edge: StepEdge,
): Promise<BranchOutcome | null> {
  const { run, tenant, runId, key, branchTurn } = branch;
  const lease = branchLease(runtime, branch, branchTurn);
  if (edge.work.by === "transaction") return performTransaction(runtime, branch, edge, edge.work.body, lease);
  if (edge.options.atMostOnce && !(await runtime.store.startBranch({ tenant, runId, key }, branchTurn)))
    return null;
  const perform = workOf(runtime, branch, edge.work);
  return toBranchOutcome(branch, await performStep(runtime, run, edge, lease, perform));
}
