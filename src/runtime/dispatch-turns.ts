/**
 * The dispatcher: claims many runs and branches in one round trip each, gives each its own invocation, commits
 * outcomes as they arrive and wakes what is due next.
 *
 * If it dies after the claim, the leases run out and the sweep takes them back.
 */
import type { BranchOutcome } from "../engine/branch.ts";
import type { Decision } from "../engine/decide.ts";
import type { ForeignRun } from "../engine/ports.ts";
import { WorkflowNotFound } from "../engine/refusals.ts";
import type { BranchRef, ClaimedBranch, ClaimedRun, RunRef } from "../engine/run.ts";
import { branchCommit, turnCommit } from "./commit-outcomes.ts";
import { GroupCommit } from "./group-commit.ts";
import type { LeasedBranch } from "./perform-branch.ts";
import type { Runtime } from "./runtime.ts";
import type { LeasedTurn } from "./take-turn.ts";

/** Performs `take-turn` and `perform-branch` in other invocations of the worker. */
export interface Loopback {
  take(turn: LeasedTurn): Promise<Decision | null | "cold">;
  perform(branch: LeasedBranch): Promise<BranchOutcome | null>;
}

/** Names a run, or one of its branches. */
export type TurnRef = RunRef & { readonly branch?: string | undefined };

/** Turns that are claimed. `done` resolves when all are committed or lost; it never rejects. */
export interface DispatchedTurns {
  readonly claimed: number;
  readonly done: Promise<void>;
  /**
   * What could not be claimed because the database did not answer, or because it is another deployment's and became due just
   * now: its wake-ups are to come again.
   */
  readonly unclaimed: readonly TurnRef[];
}

/** Never rejects: runs and branches are claimed apart, and where one claim fails the other goes on. */
export async function dispatchTurns(
  runtime: Runtime,
  loopback: Loopback,
  refs: readonly TurnRef[],
): Promise<DispatchedTurns> {
  const dispatch = new Dispatch(runtime, loopback);
  const runs = refs.filter((ref) => ref.branch === undefined);
  const branches = refs.flatMap(({ tenant, runId, branch }) =>
    branch === undefined ? [] : [{ tenant, runId, key: branch }],
  );
  const [turns, performed] = await Promise.all([dispatch.turns(runs), dispatch.branches(branches)]);
  return {
    claimed: turns.claimed + performed.claimed,
    done: Promise.all([turns.done, performed.done]).then(() => {}),
    unclaimed: [...turns.unclaimed, ...performed.unclaimed],
  };
}

interface Batch<Ref, Held> {
  readonly claimed: readonly Held[];
  readonly suspects: readonly Ref[];
  readonly foreign?: readonly ForeignRun[];
  readonly rest?: readonly Ref[];
}

/** How runs, or branches, are claimed and what is done with each. */
interface Claiming<Ref, Held> {
  all(refs: readonly Ref[]): Promise<Batch<Ref, Held>>;
  one(suspect: Ref): Promise<{ readonly claimed: readonly Held[] }>;
  /** Never rejects. */
  take(held: Held, leaseUntil: number): Promise<void>;
}

/**
 * For so long the queue brings the wake-up of a foreign run again within seconds, for another deployment to get it; then the
 * sweep's pace will do.
 */
const FOREIGN_RETRY_MS = 60_000;

class Dispatch {
  private readonly runtime: Runtime;
  private readonly loopback: Loopback;
  private readonly decisions: GroupCommit<Decision>;
  private readonly outcomes: GroupCommit<BranchOutcome>;

  constructor(runtime: Runtime, loopback: Loopback) {
    this.runtime = runtime;
    this.loopback = loopback;
    this.decisions = new GroupCommit(runtime, turnCommit(runtime));
    this.outcomes = new GroupCommit(runtime, branchCommit(runtime));
  }

  turns(refs: readonly RunRef[]): Promise<DispatchedTurns> {
    const { store, settings, warmRuns, registry } = this.runtime;
    const { leaseMs } = settings;
    const known = ({ tenant, runId }: RunRef) => {
      const after = warmRuns?.knownOf({ tenant, runId });
      return { tenant, runId, after };
    };
    return this.claim("runs", refs, {
      all: (some) => store.claimRuns(some.map(known), leaseMs, registry.known),
      one: (suspect) => store.claimSuspect(suspect, leaseMs),
      take: (run: ClaimedRun, leaseUntil) => this.turn({ run, leaseUntil }),
    });
  }

  branches(refs: readonly BranchRef[]): Promise<DispatchedTurns> {
    const { store, settings, registry } = this.runtime;
    const { leaseMs } = settings;
    return this.claim("branches", refs, {
      all: (some) => store.claimBranches(some, leaseMs, registry.known),
      one: (suspect) => store.claimSuspectBranch(suspect, leaseMs),
      take: (branch: ClaimedBranch, leaseUntil) => this.branch({ branch, leaseUntil }),
    });
  }

  private async claim<Ref extends RunRef, Held>(
    what: string,
    refs: readonly Ref[],
    how: Claiming<Ref, Held>,
  ): Promise<DispatchedTurns> {
    if (refs.length === 0) return { claimed: 0, done: Promise.resolve(), unclaimed: [] };
    const leaseUntil = this.leaseUntil();
    try {
      const { claimed, suspects, foreign = [], rest = [] } = await how.all(refs);
      this.reportForeign(foreign);
      const taken = Promise.all(claimed.map((held) => how.take(held, leaseUntil)));
      const others = this.shareByShare(what, rest, how);
      return {
        claimed: claimed.length,
        done: Promise.all([taken, others]).then(() => this.oneByOne(suspects, how)),
        unclaimed: foreign.filter(({ overdueMs }) => overdueMs < FOREIGN_RETRY_MS),
      };
    } catch (error) {
      this.runtime.report(`claiming ${refs.length} ${what}`, error);
      return { claimed: 0, done: Promise.resolve(), unclaimed: refs.map(toTurnRef) };
    }
  }

  /**
   * What was too much for one claim is claimed share by share, each when the turns of the one before are over. Nobody else
   * waits for it. Until then it is due: if this takes long the sweep sends its wake-ups again, and another isolate takes it.
   */
  private async shareByShare<Ref extends RunRef, Held>(
    what: string,
    refs: readonly Ref[],
    { all, take }: Claiming<Ref, Held>,
  ): Promise<void> {
    for (let rest = refs; rest.length > 0; ) {
      const leaseUntil = this.leaseUntil();
      try {
        const share = await all(rest);
        await Promise.all(share.claimed.map((held) => take(held, leaseUntil)));
        rest = share.claimed.length === 0 ? [] : (share.rest ?? []);
      } catch (error) {
        this.runtime.report(`claiming the rest of ${refs.length} ${what}`, error);
        return;
      }
    }
  }

  /** Each version once: runs of one that is gone may be many. */
  private reportForeign(foreign: readonly ForeignRun[]): void {
    const versions = new Map(foreign.map((run) => [`${run.version} ${run.workflow}`, run]));
    for (const { workflow, version, runId } of versions.values()) {
      const what = `leaving run ${runId} and its like to another deployment`;
      this.runtime.report(
        what,
        new WorkflowNotFound(workflow, version, Object.keys(this.runtime.registry.known)),
      );
    }
  }

  private leaseUntil(): number {
    return this.runtime.clock.now() + this.runtime.settings.leaseMs;
  }

  private async turn(leased: LeasedTurn): Promise<void> {
    try {
      let decision = await this.loopback.take(leased);
      // The function that rested here is forgotten by now.
      if (decision === "cold") decision = await this.loopback.take(leased);
      if (decision !== null && decision !== "cold") await this.decisions.add(decision);
    } catch (error) {
      // The invocation died: its lease runs out, and the sweep counts a lost turn.
      this.runtime.report(`turn ${leased.run.turn} of run ${leased.run.runId}`, error);
    }
  }

  private async branch(leased: LeasedBranch): Promise<void> {
    const { runId, key } = leased.branch;
    try {
      const outcome = await this.loopback.perform(leased);
      if (outcome !== null) await this.outcomes.add(outcome);
    } catch (error) {
      this.runtime.report(`branch "${key}" of run ${runId}`, error);
    }
  }

  /**
   * What was lost in its last turn comes last and one by one, so that one that takes the whole isolate down
   * takes no neighbour with it twice.
   */
  private async oneByOne<Ref extends RunRef, Held>(
    suspects: readonly Ref[],
    { one, take }: Claiming<Ref, Held>,
  ): Promise<void> {
    for (const suspect of suspects) {
      const leaseUntil = this.leaseUntil();
      try {
        const { claimed } = await one(suspect);
        for (const held of claimed) await take(held, leaseUntil);
      } catch (error) {
        this.runtime.report(`claiming run ${suspect.runId}`, error);
      }
    }
  }
}

function toTurnRef(ref: RunRef & { readonly key?: string }): TurnRef {
  const { tenant, runId, key } = ref;
  return { tenant, runId, branch: key };
}
