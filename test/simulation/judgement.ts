/** What must have come of everything at the end: each run as its program says, and nothing left of what is over. */
import { decode } from "../../src/engine/codec.ts";
import type { StoredRun } from "../model/memory/tables.ts";
import type { Order } from "./client.ts";
import type { Ledger } from "./ledger.ts";
import { wrongChannels } from "./programs/channels.ts";
import type { Outcome } from "./programs/outcome.ts";
import type { Program } from "./programs/program.ts";
import type { Simulation } from "./simulation.ts";

export class Judgement {
  private readonly world: Simulation;
  private readonly ledger: Ledger;
  private readonly programs: ReadonlyMap<string, Program>;
  private readonly orders: readonly Order[];

  constructor(
    world: Simulation,
    ledger: Ledger,
    programs: ReadonlyMap<string, Program>,
    orders: readonly Order[],
  ) {
    this.world = world;
    this.ledger = ledger;
    this.programs = programs;
    this.orders = orders;
  }

  async judge(): Promise<void> {
    const { world } = this;
    const [stuck] = world.memory.stuckRuns();
    if (stuck !== undefined) world.fail(`run ${stuck.runId} is stuck: ${stuck.why}`);
    for (const stored of world.runs()) {
      const wrong = (await this.wrong(stored)) ?? this.leftover(stored) ?? this.tooOften(stored);
      if (wrong !== null) world.fail(`run ${stored.row.id} of ${stored.row.workflow}: ${wrong}`);
    }
    this.hearFailures();
    for (const { runs, channels } of world.memory.tables.tenants.values()) {
      const wrong = wrongChannels([...runs.values()], channels.values());
      if (wrong !== null) world.fail(wrong);
    }
  }

  /** Of each failure that was stored anywhere, and of what caused it. */
  private hearFailures(): void {
    for (const { row, journal } of this.world.runs()) {
      for (const failure of [row.failure, ...journal.map(({ entry }) => entry.failure)]) {
        for (let one = failure ?? undefined; one !== undefined; one = one.cause) this.world.heard(one);
      }
    }
  }

  private async wrong(stored: StoredRun): Promise<string | null> {
    const { row } = stored;
    const program = this.programs.get(row.workflow);
    if (program === undefined) return "it has no program";
    const order = this.orders.find(({ runId }) => runId === row.id);
    if (row.status === "cancelled") return this.wasCancelled(row.id) ? null : "nobody cancelled it";
    if (order?.cancelled === "promised") return `it ${row.status}, and was promised to be cancelled (I9)`;
    if (order !== undefined && this.hasForgotten(order)) return "it has forgotten a signal (I9)";
    const why = row.failure === null ? "" : ` (${row.failure.code}: ${row.failure.message})`;
    const wrong = program.wrong(await this.outcomeOf(stored, order)) ?? this.unsent(row.id);
    return wrong === null ? null : wrong + why;
  }

  private async outcomeOf(stored: StoredRun, order: Order | undefined): Promise<Outcome> {
    const { ledger, world } = this;
    const { row } = stored;
    const ref = { tenant: row.tenant, runId: row.id };
    return {
      status: row.status,
      output: row.output === null ? null : decode(row.output),
      journal: (await world.memory.reads.journal(ref, 1_000, 0)) ?? [],
      effects: world.effects.filter(({ runId }) => runId === row.id).map(({ step }) => step),
      claims: ledger.claimsOf(row.id),
      arrived: ledger.arrivedAt(row.id),
      heard: (channel) => ledger.heardBy(ref, channel),
      addressed: (channel) => ledger.addressedTo(ref, channel),
      published: ledger.publishedBy(row.tenant),
      knocked: ledger.knockedAt(row.id),
      emitted: this.eventsOf(row.id).map(({ type }) => type),
      writes: ledger.writesOf(row.id),
      again: ledger.againOf(row.id),
      continued: row.continuedTo !== null,
      told: order?.told ?? new Map(),
      stored,
    };
  }

  /** A signal that was answered for has arrived. */
  private hasForgotten({ runId, told, program }: Order): boolean {
    const signals = (program.requests ?? []).filter(({ isSignal }) => isSignal);
    const arrived = this.ledger.signalsOf(runId ?? "");
    return signals.some(({ what }) => told.get(what) === "ok" && !arrived.includes(what));
  }

  /** Its own order was cancelled, or that of a run up its tree. */
  private wasCancelled(id: string): boolean {
    const stored = this.world.find(id);
    if (stored === undefined) return false;
    if (this.orders.some(({ runId, cancelled }) => runId === id && cancelled !== "no")) return true;
    const above = stored.row.parentId ?? stored.row.continuedFrom;
    return above !== null && this.wasCancelled(above);
  }

  private eventsOf(id: string) {
    return [...this.world.memory.tables.outbox.values()].filter(({ runId }) => runId === id);
  }

  /** Each event of a run arrives, and for the first time in its order. */
  private unsent(id: string): string | null {
    const wanted = this.eventsOf(id).map((event) => event.id);
    const got = [...new Set(this.world.sent)].filter((event) => wanted.includes(event));
    return got.join() === wanted.join() ? null : `it told ${got.join()} instead of ${wanted.join()}`;
  }

  private leftover(stored: StoredRun): string | null {
    const { status } = stored.row;
    if (status !== "completed" && status !== "cancelled") return null;
    const { timers, waits, inbox, branches, hooks, channels, groups, brought } = stored;
    const left = [timers, waits, inbox, branches, hooks, channels, groups, brought].some(
      ({ size }) => size > 0,
    );
    return left ? "something is left of it" : null;
  }

  /** At least once, and no more often than somebody was allowed to. */
  private tooOften({ row }: StoredRun): string | null {
    const ran = this.world.effects.filter(({ runId }) => runId === row.id).length;
    const allowed = this.ledger.claimsOf(row.id);
    return ran <= allowed ? null : `it ran ${ran} bodies in ${allowed} turns and branches`;
  }
}
