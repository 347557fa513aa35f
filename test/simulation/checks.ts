/** What must hold after every transaction. */
import type { Decision } from "../../src/engine/decide.ts";
import type { Committed } from "../../src/engine/ports.ts";
import type { RunRef, RunStatus } from "../../src/engine/run.ts";
import type { EntryRow, StoredRun } from "../model/memory/tables.ts";
import { FAULTS } from "./config.ts";
import { count } from "./ledger.ts";
import type { Simulation } from "./simulation.ts";

/** A run as it was after the step before. */
interface Seen {
  readonly status: RunStatus;
  readonly turn: number;
  readonly entries: number;
  readonly lastEntry: EntryRow | undefined;
  readonly stepsDone: number;
  readonly isHeld: boolean;
}

const MAY_BE_LATE = 3;
const AGENDA_FAULTS = FAULTS.filter((fault) => fault.startsWith("agenda"));

export class Watch {
  /** How often a run went from one status to another. */
  readonly moves = new Map<string, number>();
  private readonly world: Simulation;
  private readonly last = new Map<string, Seen>();
  private readonly revived = new Set<string>();
  /** In which turn each delivery was taken. */
  private readonly taken = new Map<number, number>();
  /** Until when each run was held by a person, as far as it was. */
  private readonly heldUntil = new Map<string, number>();

  constructor(world: Simulation) {
    this.world = world;
  }

  /** A verb was carried out, whether its caller hears of it or not. */
  saw(verb: string, given: readonly unknown[], answer: unknown): void {
    if (verb === "commitTurns") this.sawCommit(given[0] as Decision[], answer as Committed);
    if (verb === "reviveRun") this.revived.add((given[0] as RunRef).runId);
  }

  /** After every step: what the tables promise, that no run is stuck, and how runs and journals go on. */
  check(): void {
    const { memory } = this.world;
    const [violation] = memory.violations();
    if (violation !== undefined) this.world.fail(violation);
    const [stuck] = memory.stuckRuns();
    if (stuck !== undefined) this.world.fail(`run ${stuck.runId} is stuck: ${stuck.why}`);
    for (const run of this.world.runs()) {
      const wrong = this.wrong(run);
      if (wrong !== null) this.world.fail(`run ${run.row.id} of ${run.row.workflow} ${wrong}`);
    }
    this.revived.clear();
  }

  private wrong(run: StoredRun): string | null {
    const { id, status, turn, stepsDone, workflow, pausedAt } = run.row;
    const before = this.last.get(id);
    const entries = run.journal.length;
    const isHeld = pausedAt !== null || status === "failed" || status === "dead";
    this.last.set(id, { status, turn, entries, lastEntry: run.journal[entries - 1], stepsDone, isHeld });
    // Time passes unseen while nothing changes: one that is let go was held until now.
    if (isHeld || before?.isHeld) this.heldUntil.set(id, this.world.now);
    const wrong = this.world.programs.get(workflow)?.always?.(run) ?? this.late(run);
    if (wrong !== null) return wrong;
    return before === undefined
      ? this.wronglyBorn(run)
      : (this.wrongMove(run, before) ?? wrongGrowth(run, before));
  }

  /** Whatever it comes from is of its tenant. */
  private wronglyBorn({ row }: StoredRun): string | null {
    const origins = [row.parentId, row.continuedFrom, row.forkedFrom];
    const isStrange = origins.some((id) => id !== null && this.world.find(id)?.row.tenant !== row.tenant);
    return isStrange ? `of tenant ${row.tenant} comes from another tenant` : null;
  }

  /** I2: turns rise, one at a time. I3: what is final stays. */
  private wrongMove({ row }: StoredRun, before: Seen): string | null {
    const { id, status, turn } = row;
    if (turn !== before.turn && turn !== before.turn + 1)
      return `went from turn ${before.turn} to ${turn} (I2)`;
    if (status === before.status) return null;
    count(this.moves, `${before.status} → ${status}`);
    if (!this.mayLeave(id, before.status)) return `was ${before.status} and is ${status} (I3)`;
    const isLost = row.failure?.code === "lost_turns_exhausted" && status === "dead";
    return isLost && this.world.settings.lostTurnLimit > 10 ? "was healthy and is dead" : null;
  }

  private mayLeave(id: string, status: RunStatus): boolean {
    if (status === "completed" || status === "cancelled") return false;
    return (status !== "failed" && status !== "dead") || this.revived.has(id);
  }

  /** Without faults, whatever is due or was lost is taken up again within three leases and ticks. */
  private late({ row, branches }: StoredRun): string | null {
    const { healedAt, now, settings } = this.world;
    const isMoving = row.status === "ready" || row.status === "running" || row.status === "waiting";
    if (healedAt === null || !isMoving || row.pausedAt !== null) return null;
    const since = Math.max(healedAt, this.heldUntil.get(row.id) ?? 0);
    const bound = MAY_BE_LATE * (settings.leaseMs + this.world.tickMs) + this.misledMs();
    const isLate = (at: number | null) => at !== null && Math.max(at, since) + bound < now;
    if (isLate(row.wakeAt) || isLate(row.leaseExpiresAt)) return `is ${status(row)}, and nobody takes it up`;
    if (row.phase !== "forward") return null;
    const [late] = [...branches.values()].filter((one) => isLate(one.wakeAt) || isLate(one.leaseExpiresAt));
    return late === undefined ? null : `has the branch ${late.key}, and nobody takes it up`;
  }

  /** An agenda that has failed may have told an idle cron of nothing: then only the safety sweep looks. */
  private misledMs(): number {
    const { struck, settings } = this.world;
    const isMisled = AGENDA_FAULTS.some((fault) => struck.has(fault));
    return isMisled ? settings.safetySweepMs : 0;
  }

  /** I2: what was written for a turn was written in that turn. I5: what has arrived is taken once. */
  private sawCommit(decisions: readonly Decision[], { turns }: Committed): void {
    for (const { runId, turn, consumed } of decisions) {
      if (!turns.some((committed) => committed.runId === runId)) continue;
      const now = this.world.find(runId)?.row.turn;
      if (now !== turn) this.world.fail(`turn ${turn} of run ${runId} wrote in turn ${now} (I2)`);
      for (const { id, key } of consumed) {
        const before = this.taken.get(id) ?? turn;
        if (before !== turn)
          this.world.fail(`run ${runId} took ${key} in turn ${before} and again in ${turn} (I5)`);
        this.taken.set(id, turn);
      }
    }
  }
}

function status({ status: is, wakeAt, leaseExpiresAt }: StoredRun["row"]): string {
  return `${is}, due ${wakeAt}, leased until ${leaseExpiresAt}`;
}

/** A journal only grows, without gaps, by what its run's turn wrote; the run counts its steps. */
function wrongGrowth({ row, journal }: StoredRun, before: Seen): string | null {
  if (journal[before.entries - 1] !== before.lastEntry) return "has lost a part of its journal";
  let stepsDone = before.stepsDone;
  for (let i = before.entries; i < journal.length; i++) {
    const { entry, turn } = journal[i] as EntryRow;
    if (entry.seq !== i + 1) return `has entry ${entry.seq} in place ${i + 1} of its journal`;
    if (turn !== row.turn) return `is in turn ${row.turn} and has a new entry of turn ${turn}`;
    const isWork = entry.kind === "step" || entry.kind === "transaction";
    if (isWork && entry.outcome === "completed") stepsDone += 1;
  }
  return row.stepsDone === stepsDone ? null : `counts ${row.stepsDone} steps and has done ${stepsDone}`;
}
