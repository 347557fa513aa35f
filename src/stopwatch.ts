/**
 * Measures where the time of turns goes, by wrapping what they go through once, so that no other file knows of it. One to an
 * isolate; what has been measured is added to the database now and then, beside a batch. What an isolate measured since, it takes
 * with it when it ends: the figures are of most turns, not of all.
 */
import type { BranchOutcome } from "./engine/branch.ts";
import type { Decision } from "./engine/decide.ts";
import type { EntryKind } from "./engine/journal.ts";
import type { Store, WakeUps } from "./engine/ports.ts";
import { BOUNDS_MS, bucketOf, type Phase, type PhaseTimes, type Timings } from "./engine/timings.ts";
import type { Loopback } from "./runtime/dispatch-turns.ts";
import type { LeasedBranch } from "./runtime/perform-branch.ts";
import type { LeasedTurn } from "./runtime/take-turn.ts";

/** What was measured is kept for so long before it is written. */
const KEEP_MS = 10_000;

/** Entries that say how long a run waited, and not how long it worked. */
const WAITS: ReadonlySet<EntryKind> = new Set(["sleep", "signal", "message", "child", "mutation"]);

interface Measured {
  turns: number;
  totalMs: number;
  readonly buckets: number[];
}

export class Stopwatch {
  private readonly now: () => number;
  private measured = new Map<Phase, Measured>();
  private since: number | null = null;
  /** Turns that are out in their invocations, by their names: how long each took there. */
  private readonly inside = new Map<string, number | null>();
  /** When an outcome came back. */
  private readonly returned = new WeakMap<object, number>();

  constructor(now: () => number) {
    this.now = now;
  }

  note(phase: Phase, ms: number, turns = 1): void {
    if (turns === 0) return;
    this.since ??= this.now();
    const measured = this.measured.get(phase) ?? {
      turns: 0,
      totalMs: 0,
      buckets: [0, ...BOUNDS_MS.map(() => 0)],
    };
    const spent = Math.max(0, ms);
    const bucket = bucketOf(spent);
    measured.turns += turns;
    measured.totalMs += spent * turns;
    measured.buckets[bucket] = (measured.buckets[bucket] ?? 0) + turns;
    this.measured.set(phase, measured);
  }

  /** Adds what was measured, once it is a while. Rejects where the database does not answer; that is lost then. */
  async flushOld(timings: Pick<Timings, "add">): Promise<void> {
    if (this.since !== null && this.now() - this.since >= KEEP_MS) await this.flush(timings);
  }

  /** The same at once. Nothing is asked of the database when nothing was measured. */
  async flush(timings: Pick<Timings, "add">): Promise<void> {
    if (this.since === null) return;
    const times = [...this.measured].map(([phase, measured]): PhaseTimes => ({ phase, ...measured }));
    this.measured = new Map();
    this.since = null;
    await timings.add(times);
  }

  store(store: Store): Store {
    const claimRuns: Store["claimRuns"] = (...args) => this.claim(() => store.claimRuns(...args));
    const claimSuspect: Store["claimSuspect"] = (...args) => this.claim(() => store.claimSuspect(...args));
    const claimBranches: Store["claimBranches"] = (...args) => this.claim(() => store.claimBranches(...args));
    const claimSuspectBranch: Store["claimSuspectBranch"] = (...args) =>
      this.claim(() => store.claimSuspectBranch(...args));
    return {
      ...store,
      ...{ claimRuns, claimSuspect, claimBranches, claimSuspectBranch },
      commitTurns: (decisions) => this.commit(decisions, () => store.commitTurns(decisions)),
      commitBranches: (outcomes) => this.commit(outcomes, () => store.commitBranches(outcomes)),
    };
  }

  wakeUps(wakeUps: WakeUps): WakeUps {
    return {
      ...wakeUps,
      send: async (due) => {
        const startedAt = this.now();
        await wakeUps.send(due);
        this.note("wake-up", this.now() - startedAt, due.length);
      },
    };
  }

  /** The dispatcher's side of an invocation. */
  loopback(loopback: Loopback): Loopback {
    return {
      take: (turn) => this.invoke(nameOfTurn(turn), () => loopback.take(turn)),
      perform: (branch) => this.invoke(nameOfBranch(branch), () => loopback.perform(branch)),
    };
  }

  /** The inner side of an invocation: a turn. */
  async turn(
    turn: LeasedTurn,
    take: () => Promise<Decision | null | "cold">,
  ): Promise<Decision | null | "cold"> {
    const startedAt = this.now();
    const decision = await take();
    if (decision === null || decision === "cold") return decision;
    // What came from a branch was performed in another invocation.
    const performed = decision.entries.filter(({ kind, agoMs }) => agoMs === undefined && !WAITS.has(kind));
    const stepMs = performed.reduce((sum, { tookMs }) => sum + tookMs, 0);
    this.spent(nameOfTurn(turn), this.now() - startedAt, stepMs, performed.length > 0);
    return decision;
  }

  /** The inner side of an invocation: a branch. */
  async branch(
    branch: LeasedBranch,
    perform: () => Promise<BranchOutcome | null>,
  ): Promise<BranchOutcome | null> {
    const startedAt = this.now();
    const outcome = await perform();
    if (outcome !== null) this.spent(nameOfBranch(branch), this.now() - startedAt, outcome.tookMs, true);
    return outcome;
  }

  private spent(name: string, ms: number, stepMs: number, hasStep: boolean): void {
    if (this.inside.has(name)) this.inside.set(name, ms);
    if (hasStep) this.note("step", stepMs);
    this.note("replay", ms - stepMs);
  }

  private async invoke<Outcome extends object | string | null>(
    name: string,
    call: () => Promise<Outcome>,
  ): Promise<Outcome> {
    const startedAt = this.now();
    this.inside.set(name, null);
    try {
      const outcome = await call();
      const endedAt = this.now();
      const inside = this.inside.get(name) ?? null;
      // Null where the platform chose another isolate: nobody can tell the way from the work.
      if (inside !== null) this.note("invocation", endedAt - startedAt - inside);
      if (typeof outcome === "object" && outcome !== null) this.returned.set(outcome, endedAt);
      return outcome;
    } finally {
      this.inside.delete(name);
    }
  }

  private async claim<Answer extends { readonly claimed: readonly unknown[] }>(
    claim: () => Promise<Answer>,
  ): Promise<Answer> {
    const startedAt = this.now();
    const answer = await claim();
    this.note("claim", this.now() - startedAt, answer.claimed.length);
    return answer;
  }

  private async commit<Answer>(outcomes: readonly object[], commit: () => Promise<Answer>): Promise<Answer> {
    const startedAt = this.now();
    for (const outcome of outcomes) {
      this.note("group", startedAt - (this.returned.get(outcome) ?? startedAt));
      this.returned.delete(outcome);
    }
    const answer = await commit();
    this.note("commit", this.now() - startedAt, outcomes.length);
    return answer;
  }
}

function nameOfTurn({ run }: LeasedTurn): string {
  return `${run.tenant}/${run.runId}/${run.turn}`;
}

function nameOfBranch({ branch }: LeasedBranch): string {
  return `${branch.tenant}/${branch.runId}/${branch.key}/${branch.branchTurn}`;
}
