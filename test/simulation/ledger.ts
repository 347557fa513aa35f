/** What the store was asked to do and did, whether anybody heard of it or not: what runs are judged by in the end. */
import { decode, type Encoded } from "../../src/engine/codec.ts";
import type { NewMessage, NewSignal, ReceivedHook, SentSignal, Word } from "../../src/engine/ports.ts";
import type { ClaimedBranch, ClaimedRun, RunRef } from "../../src/engine/run.ts";
import type { Simulation } from "./simulation.ts";

interface Published {
  readonly id: string;
  readonly payload: unknown;
  readonly to: string | null;
}

/** From which message on, and up to which. */
interface Window {
  readonly from: number;
  to: number | null;
}

export class Ledger {
  /** How often each verb of a port was carried out. */
  readonly verbs = new Map<string, number>();
  private readonly world: Simulation;
  /** How often a run, or one of its branches, was claimed. */
  private readonly claims = new Map<string, number>();
  private readonly signals = new Map<string, Map<string | null, unknown>>();
  private readonly writes = new Map<string, number>();
  private readonly again = new Map<string, number>();
  private readonly knocked = new Map<string, unknown[]>();
  /** By their channels. */
  private readonly messages = new Map<string, Published[]>();
  private readonly published = new Map<string, unknown[]>();
  private readonly windows = new Map<string, Window[]>();

  constructor(world: Simulation) {
    this.world = world;
  }

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
      case "deliverSignals":
        this.sawSignals(given[1] as NewSignal[], (answer as { sent: SentSignal[] }).sent);
        break;
      case "signalGroup":
        this.sawGroup(given[0] as string, given[1] as string, given[2] as NewSignal);
        break;
      case "receiveHook":
        if ((answer as ReceivedHook).result === "received")
          this.sawKnock(given[0] as string, given[1] as Encoded);
        break;
      case "deliverWord":
        if ((answer as { found: boolean }).found && (given[2] as Word).outcome === "again")
          count(this.again, (given[0] as RunRef).runId);
        break;
      case "publish":
        this.sawMessage(given[0] as string, given[1] as NewMessage);
        break;
      case "subscribe":
        this.sawSubscription(given[0] as RunRef, given[1] as string);
        break;
      case "unsubscribe":
        this.sawLeaving(given[0] as RunRef, given[1] as string);
        break;
      case "run":
        if (answer === true) count(this.writes, (given[0] as ClaimedBranch).runId);
        break;
    }
  }

  claimsOf(runId: string): number {
    return this.claims.get(runId) ?? 0;
  }

  writesOf(runId: string): number {
    return this.writes.get(runId) ?? 0;
  }

  againOf(runId: string): number {
    return this.again.get(runId) ?? 0;
  }

  arrivedAt(runId: string): readonly unknown[] {
    return [...(this.signals.get(runId)?.values() ?? [])];
  }

  /** Their ids. */
  signalsOf(runId: string): (string | null)[] {
    return [...(this.signals.get(runId)?.keys() ?? [])];
  }

  knockedAt(runId: string): readonly unknown[] {
    return this.knocked.get(runId) ?? [];
  }

  /** What was published while the run, or one that it goes on for, listened: one list for each subscription. */
  heardBy({ tenant, runId }: RunRef, channel: string): unknown[][] {
    const all = this.messages.get(nameOf(tenant, channel)) ?? [];
    const windows = this.windows.get(nameOf(this.firstOf(runId), channel)) ?? [];
    return windows.map(({ from, to }) => all.slice(from, to ?? undefined).map(({ payload }) => payload));
  }

  addressedTo({ tenant, runId }: RunRef, channel: string): unknown[] {
    const all = this.messages.get(nameOf(tenant, channel)) ?? [];
    return all.filter(({ to }) => to === runId).map(({ payload }) => payload);
  }

  publishedBy(tenant: string): readonly unknown[] {
    return this.published.get(tenant) ?? [];
  }

  private sawSignals(signals: readonly NewSignal[], sent: readonly SentSignal[]): void {
    signals.forEach((signal, i) => {
      if (sent[i]?.result === "accepted") this.sawSignal(signal.runId, signal);
    });
  }

  private sawGroup(tenant: string, group: string, signal: NewSignal): void {
    for (const { row } of this.world.runs()) {
      const { status, id } = row;
      const isMember = row.tenant === tenant && this.world.find(id)?.groups.has(group) === true;
      if (isMember && status !== "failed") this.sawSignal(id, signal);
    }
  }

  private sawSignal(runId: string, { id, payload }: Pick<NewSignal, "id" | "payload">): void {
    const known = this.signals.get(runId) ?? new Map();
    if (!known.has(id)) known.set(id, decode(payload));
    this.signals.set(runId, known);
  }

  private sawKnock(token: string, payload: Encoded): void {
    const runId = this.world.runs().find(({ row }) => token.startsWith(row.id))?.row.id ?? "";
    this.knocked.set(runId, [...(this.knocked.get(runId) ?? []), decode(payload)]);
  }

  private sawMessage(tenant: string, { id, channel, payload, to }: NewMessage): void {
    const name = nameOf(tenant, channel);
    const known = this.messages.get(name) ?? [];
    this.messages.set(name, known);
    if (known.some((message) => message.id === id)) return;
    const message = { id, payload: decode(payload), to };
    known.push(message);
    this.published.set(tenant, [...this.publishedBy(tenant), message.payload]);
  }

  private sawSubscription({ tenant, runId }: RunRef, channel: string): void {
    const name = nameOf(this.firstOf(runId), channel);
    const windows = this.windows.get(name) ?? [];
    this.windows.set(name, windows);
    const isOpen = windows.length > 0 && windows.at(-1)?.to === null;
    if (!isOpen) windows.push({ from: this.messages.get(nameOf(tenant, channel))?.length ?? 0, to: null });
  }

  private sawLeaving({ tenant, runId }: RunRef, channel: string): void {
    const window = this.windows.get(nameOf(this.firstOf(runId), channel))?.at(-1);
    if (window !== undefined) window.to ??= this.messages.get(nameOf(tenant, channel))?.length ?? 0;
  }

  /** The first of the runs that went on as this one. */
  private firstOf(runId: string): string {
    const before = this.world.find(runId)?.row.continuedFrom ?? null;
    return before === null ? runId : this.firstOf(before);
  }
}

function nameOf(owner: string, channel: string): string {
  return `${owner}/${channel}`;
}

export function count<Key>(counts: Map<Key, number>, key: Key): void {
  counts.set(key, (counts.get(key) ?? 0) + 1);
}
