/** What must hold after every transaction, and what must have come of everything at the end. */
import { decode } from "../../src/engine/codec.ts";
import type { Decision } from "../../src/engine/decide.ts";
import type { Committed, NewSignal, SentSignal } from "../../src/engine/ports.ts";
import type { ClaimedBranch, ClaimedRun, RunStatus } from "../../src/engine/run.ts";
import { allRuns, type StoredRun } from "../model/memory/tables.ts";
import { type Order, TENANT } from "./client.ts";
import type { Outcome } from "./outcome.ts";
import type { Simulation } from "./simulation.ts";
import type { Program } from "./workflows.ts";

interface Seen {
  readonly status: RunStatus;
  readonly turn: number;
}

export class Watch {
  /** How often each verb of a port was carried out. */
  readonly verbs = new Map<string, number>();
  /** How often a run went from one status to another. */
  readonly moves = new Map<string, number>();
  private readonly world: Simulation;
  private readonly programs: ReadonlyMap<string, Program>;
  private readonly last = new Map<string, Seen>();
  private readonly revived = new Set<string>();
  /** How often a run, or one of its branches, was claimed. */
  private readonly claims = new Map<string, number>();
  private readonly arrived = new Map<string, Map<string | null, unknown>>();
  private readonly writes = new Map<string, number>();

  constructor(world: Simulation, programs: readonly Program[]) {
    this.world = world;
    this.programs = new Map(programs.map((program) => [program.workflow.name, program]));
  }

  /** A verb was carried out, whether its caller hears of it or not. */
  saw(verb: string, given: readonly unknown[], answer: unknown): void {
    count(this.verbs, verb);
    switch (verb) {
      case "claimRuns":
      case "claimSuspect":
      case "claimBranches":
      case "claimSuspectBranch":
        for (const { runId } of (answer as { claimed: (ClaimedRun | ClaimedBranch)[] }).claimed)
          count(this.claims, runId);
        break;
      case "commitTurns":
        this.sawCommit(given[0] as Decision[], answer as Committed);
        break;
      case "reviveRun":
        this.revived.add((given[0] as ClaimedRun).runId);
        break;
      case "deliverSignals":
        this.sawSignals(given[1] as NewSignal[], (answer as { sent: SentSignal[] }).sent);
        break;
      case "run":
        if (answer === true) count(this.writes, (given[0] as ClaimedBranch).runId);
        break;
    }
  }

  /** After every step: what the tables promise, and I3 and I2. */
  check(): void {
    const [violation] = this.world.memory.violations();
    if (violation !== undefined) this.world.fail(violation);
    for (const { row } of allRuns(this.world.memory.tables)) {
      const { id, status, turn } = row;
      const before = this.last.get(id);
      this.last.set(id, { status, turn });
      if (before === undefined) continue;
      if (turn < before.turn) this.world.fail(`run ${id} went back from turn ${before.turn} to ${turn} (I2)`);
      if (status === before.status) continue;
      count(this.moves, `${before.status} → ${status}`);
      if (!this.mayLeave(id, before.status))
        this.world.fail(`run ${id} was ${before.status} and is ${status} (I3)`);
    }
    this.revived.clear();
  }

  /** Everything has come to its end: each run as its program says. */
  async judge(orders: readonly Order[]): Promise<void> {
    const [stuck] = this.world.memory.stuckRuns();
    if (stuck !== undefined) this.world.fail(`run ${stuck.runId} is stuck: ${stuck.why}`);
    for (const stored of allRuns(this.world.memory.tables)) {
      const wrong = (await this.wrong(stored, orders)) ?? this.leftover(stored) ?? this.tooOften(stored);
      if (wrong !== null) this.world.fail(`run ${stored.row.id} of ${stored.row.workflow}: ${wrong}`);
    }
  }

  private mayLeave(id: string, status: RunStatus): boolean {
    if (status === "completed" || status === "cancelled") return false;
    return (status !== "failed" && status !== "dead") || this.revived.has(id);
  }

  /** I2: what was written for a turn was written in that turn. */
  private sawCommit(decisions: readonly Decision[], { turns }: Committed): void {
    for (const { runId, turn } of decisions) {
      const now = this.world.find(runId)?.row.turn;
      if (now !== turn && turns.some((committed) => committed.runId === runId))
        this.world.fail(`turn ${turn} of run ${runId} wrote in turn ${now} (I2)`);
    }
  }

  private sawSignals(signals: readonly NewSignal[], sent: readonly SentSignal[]): void {
    signals.forEach(({ runId, id, payload }, i) => {
      if (sent[i]?.result !== "accepted") return;
      const known = this.arrived.get(runId) ?? new Map();
      if (!known.has(id)) known.set(id, decode(payload));
      this.arrived.set(runId, known);
    });
  }

  private async wrong({ row }: StoredRun, orders: readonly Order[]): Promise<string | null> {
    const program = this.programs.get(row.workflow);
    if (program === undefined) return "it has no program";
    if (row.status === "cancelled") return this.wasCancelled(row.id, orders) ? null : "nobody cancelled it";
    const ref = { tenant: TENANT, runId: row.id };
    const outcome: Outcome = {
      status: row.status,
      output: row.output === null ? null : decode(row.output),
      journal: (await this.world.memory.reads.journal(ref, 1_000, 0)) ?? [],
      effects: this.world.effects.filter(({ runId }) => runId === row.id).map(({ step }) => step),
      arrived: [...(this.arrived.get(row.id)?.values() ?? [])],
      writes: this.writes.get(row.id) ?? 0,
      continued: row.continuedTo !== null,
    };
    const why = row.failure === null ? "" : ` (${row.failure.code}: ${row.failure.message})`;
    const wrong = program.wrong(outcome) ?? this.unsent(row.id);
    return wrong === null ? null : wrong + why;
  }

  /** Its own order was cancelled, or that of a run up its tree. */
  private wasCancelled(id: string, orders: readonly Order[]): boolean {
    const stored = this.world.find(id);
    if (stored === undefined) return false;
    if (orders.some(({ runId, cancelled }) => runId === id && cancelled !== "no")) return true;
    const above = stored.row.parentId ?? stored.row.continuedFrom;
    return above !== null && this.wasCancelled(above, orders);
  }

  /** Each event of a run arrives, and for the first time in its order. */
  private unsent(id: string): string | null {
    const emitted = [...this.world.memory.tables.outbox.values()].filter(({ runId }) => runId === id);
    const wanted = emitted.map((event) => event.id);
    const got = [...new Set(this.world.sent)].filter((event) => wanted.includes(event));
    return got.join() === wanted.join() ? null : `it told ${got.join()} instead of ${wanted.join()}`;
  }

  private leftover({ row, timers, waits, inbox, branches }: StoredRun): string | null {
    if (row.status !== "completed" && row.status !== "cancelled") return null;
    const left = timers.size + waits.size + inbox.size + branches.size;
    return left === 0 ? null : "something is left of it";
  }

  /** At least once, and no more often than somebody was allowed to. */
  private tooOften({ row }: StoredRun): string | null {
    const ran = this.world.effects.filter(({ runId }) => runId === row.id).length;
    const allowed = this.claims.get(row.id) ?? 0;
    return ran <= allowed ? null : `it ran ${ran} bodies in ${allowed} turns and branches`;
  }
}

function count(counts: Map<string, number>, key: string): void {
  counts.set(key, (counts.get(key) ?? 0) + 1);
}
