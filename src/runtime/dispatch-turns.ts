/**
 * The dispatcher: claims many runs in one round trip, gives each its own invocation, commits outcomes as
 * they arrive and wakes what is due next.
 *
 * If it dies after the claim, the leases run out and the sweep takes the runs back.
 */
import type { Decision } from "../engine/decide.ts";
import type { ClaimedRun, RunRef } from "../engine/run.ts";
import { GroupCommit } from "./group-commit.ts";
import type { Runtime } from "./runtime.ts";
import type { LeasedTurn } from "./take-turn.ts";

/** Performs `take-turn` in another invocation of the worker. */
export type Loopback = (turn: LeasedTurn) => Promise<Decision | null>;

/** Turns that are claimed. `done` resolves when all are committed or lost; it never rejects. */
export interface DispatchedTurns {
  readonly claimed: number;
  readonly done: Promise<void>;
}

/** Rejects only when the claim fails, and then nothing is claimed for sure: the wake-ups are to come again. */
export async function dispatchTurns(
  runtime: Runtime,
  loopback: Loopback,
  refs: readonly RunRef[],
): Promise<DispatchedTurns> {
  const { store, clock, settings } = runtime;
  const commits = new GroupCommit(runtime);
  const claimedAt = clock.now();
  const { claimed, suspects } = await store.claimRuns(refs, settings.leaseMs);
  const turns = claimed.map((run) => turn(runtime, loopback, commits, run, claimedAt + settings.leaseMs));
  const done = Promise.all(turns).then(() => takeSuspects(runtime, loopback, commits, suspects));
  return { claimed: claimed.length, done };
}

async function turn(
  runtime: Runtime,
  loopback: Loopback,
  commits: GroupCommit,
  run: ClaimedRun,
  leaseUntil: number,
): Promise<void> {
  try {
    const decision = await loopback({ run, leaseUntil });
    if (decision !== null) await commits.add(decision);
  } catch (error) {
    // The invocation died: its lease runs out, and the sweep counts a lost turn.
    runtime.report(`turn ${run.turn} of run ${run.runId}`, error);
  }
}

/**
 * Runs whose last turn was lost come last and one by one, so that one that takes the whole isolate down
 * takes no neighbour with it twice.
 */
async function takeSuspects(
  runtime: Runtime,
  loopback: Loopback,
  commits: GroupCommit,
  suspects: readonly RunRef[],
): Promise<void> {
  const { store, clock, settings } = runtime;
  for (const suspect of suspects) {
    const claimedAt = clock.now();
    try {
      const { claimed } = await store.claimSuspect(suspect, settings.leaseMs);
      for (const run of claimed) await turn(runtime, loopback, commits, run, claimedAt + settings.leaseMs);
    } catch (error) {
      runtime.report(`claiming run ${suspect.runId}`, error);
    }
  }
}
