/** What must hold after every transaction. */
import type { Decision } from "../../src/engine/decide.ts";
import type { Committed } from "../../src/engine/ports.ts";
import type { RunRef, RunStatus } from "../../src/engine/run.ts";
import { count } from "./ledger.ts";
import type { Simulation } from "./simulation.ts";

interface Seen {
  readonly status: RunStatus;
  readonly turn: number;
}

export class Watch {
  /** How often a run went from one status to another. */
  readonly moves = new Map<string, number>();
  private readonly world: Simulation;
  private readonly last = new Map<string, Seen>();
  private readonly revived = new Set<string>();

  constructor(world: Simulation) {
    this.world = world;
  }

  /** A verb was carried out, whether its caller hears of it or not. */
  saw(verb: string, given: readonly unknown[], answer: unknown): void {
    if (verb === "commitTurns") this.sawCommit(given[0] as Decision[], answer as Committed);
    if (verb === "reviveRun") this.revived.add((given[0] as RunRef).runId);
  }

  /** After every step: what the tables promise, and I3 and I2. */
  check(): void {
    const [violation] = this.world.memory.violations();
    if (violation !== undefined) this.world.fail(violation);
    for (const { row } of this.world.runs()) {
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
}
