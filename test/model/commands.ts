/** Random commands for a store: what one gives goes into the next. */
import type { BranchOutcome } from "../../src/engine/branch.ts";
import type { ClaimedSend } from "../../src/engine/event.ts";
import type { Store } from "../../src/engine/ports.ts";
import type { BranchRef, ClaimedBranch, ClaimedRun, NewRun, RunRef } from "../../src/engine/run.ts";
import type { StoreUnderTest } from "../storage/support/bed.ts";
import { boom, DAY, HOUR, LEASE, MINUTE, newRun } from "../storage/support/builders.ts";
import { Chance } from "./chance.ts";
import { randomDecision } from "./decisions.ts";

/** A store, and what it has given so far: turns that are held, and turns that have long moved on. */
export interface Side {
  readonly under: StoreUnderTest;
  readonly runs: ClaimedRun[];
  readonly branches: ClaimedBranch[];
  readonly sends: ClaimedSend[];
}

/** Gives the answer of the store. */
export type Act = (side: Side) => Promise<unknown>;

/** A command that says which it is. */
export type Command = readonly [name: string, act: Act];

const TENANT = "default";

/** How many of the latest runs most commands are about. */
const FEW = 4;

export class Commands {
  /** Runs that were asked for, whether the store has them or not, in the order of their ids. */
  readonly ids: string[] = [];
  private readonly chance: Chance;

  constructor(seed: number) {
    this.chance = new Chance(seed);
  }

  /** The next, from what has been given so far; every side must have been given the same. */
  next(side: Side): Command {
    const kinds = [
      ...[this.start, this.claim, this.claim, this.claim, this.commit, this.commit, this.commit],
      ...[this.claimBranches, this.claimBranches, this.commitBranch, this.commitBranch, this.hold],
      ...[this.arrive, this.arrive, this.messages, this.messages, this.move, this.sweep, this.sweep],
      ...[this.events, this.events, this.fork, this.time, this.loss],
    ];
    return this.chance.pick(kinds).call(this, side);
  }

  private newRun(fields: Partial<NewRun> = {}): NewRun {
    const id = `run ${String(this.ids.length + 1).padStart(4, "0")}`;
    this.ids.push(id);
    return newRun({ id, input: { json: 7, meta: null }, ...fields });
  }

  /** One of the latest runs that had a turn, or of all that were asked for. */
  private run({ runs }: Side): RunRef {
    const latest = runs.slice(-FEW).map(({ runId }) => runId);
    const ids = latest.length === 0 || this.chance.isRare(3) ? this.ids.slice(-FEW) : latest;
    return { tenant: TENANT, runId: ids.length === 0 ? "nobody" : this.chance.pick(ids) };
  }

  /** The last, but for one time in three. */
  private placeIn(items: readonly unknown[]): number {
    return this.chance.isRare(3) ? this.chance.roll(items.length) : items.length - 1;
  }

  private start(): Command {
    const { chance } = this;
    const run = this.newRun({
      tags: chance.maybe(3, () => chance.name()),
      idempotencyKey: chance.pick([null, null, null, "key"]),
      delayMs: chance.pick([null, null, null, null, HOUR]),
      deadlineInMs: chance.pick([null, null, null, null, DAY, MINUTE]),
    });
    const signals = chance.maybe(3, () => ({ runId: run.id, name: "a", payload: chance.value(), id: "1" }));
    return ["startRuns", ({ under }) => under.store.startRuns(TENANT, [run], signals)];
  }

  /** As the dispatcher does: what is due, and then each suspect alone. */
  private claim(side: Side): Command {
    const claims = [this.run(side), this.run(side), { ...this.run(side), after: 2 }];
    return [
      "claimRuns",
      async ({ under, runs }) => {
        const batch = await under.store.claimRuns(claims, LEASE);
        const alone = [];
        for (const suspect of batch.suspects) alone.push(await under.store.claimSuspect(suspect, LEASE));
        const claimed = [batch, ...alone].flatMap((each) => each.claimed);
        runs.push(...claimed.toSorted(byRef));
        return [batch, alone];
      },
    ];
  }

  private commit(side: Side): Command {
    if (side.runs.length === 0) return this.claim(side);
    const places = [this.placeIn(side.runs), ...this.chance.maybe(4, () => this.placeIn(side.runs))];
    const shapes = [...new Set(places)].map((place) => ({
      place,
      shape: randomDecision(this.chance, () => this.newRun()),
    }));
    return [
      "commitTurns",
      ({ under, runs }) => under.store.commitTurns(shapes.map(({ place, shape }) => shape(at(runs, place)))),
    ];
  }

  private branch(side: Side): BranchRef {
    return { ...this.run(side), key: this.chance.name() };
  }

  private claimBranches(side: Side): Command {
    const refs = Array.from({ length: 6 }, () => this.branch(side));
    return [
      "claimBranches",
      async ({ under, branches }) => {
        const batch = await under.store.claimBranches(refs, LEASE);
        const alone = [];
        for (const suspect of batch.suspects)
          alone.push(await under.store.claimSuspectBranch(suspect, LEASE));
        const claimed = [batch, ...alone].flatMap((each) => each.claimed);
        branches.push(...claimed.toSorted(byRef));
        return [batch, alone];
      },
    ];
  }

  private commitBranch(side: Side): Command {
    if (side.branches.length === 0) return this.claimBranches(side);
    const place = this.placeIn(side.branches);
    const given = this.chance.pick([
      "completed",
      "failed",
      "retrying",
      "retrying",
      "dead",
      "delivered",
    ] as const);
    const outcomeOf = ({ tenant, runId, key, branchTurn, attempt }: ClaimedBranch): BranchOutcome => ({
      ...{ tenant, runId, key, branchTurn, attempt, tookMs: 5, outcome: given },
      output: given === "completed" ? { json: 1, meta: null } : null,
      failure: given === "completed" ? null : boom,
      retryInMs: given === "retrying" ? 1_000 : null,
    });
    return [
      `commitBranches: ${given}`,
      ({ under, branches }) => under.store.commitBranches([outcomeOf(at(branches, place))]),
    ];
  }

  /** What holds, renews and reloads turns. */
  private hold(side: Side): Command {
    const { runs, branches } = side;
    if (runs.length === 0 || branches.length === 0) return this.claim(side);
    const [place, branchPlace] = [this.placeIn(runs), this.placeIn(branches)];
    const run = (each: Side) => at(each.runs, place);
    const branch = (each: Side) => at(each.branches, branchPlace);
    return this.chance.pick<Command>([
      ["renewLease", (each) => each.under.store.renewLease(run(each), run(each).turn, LEASE)],
      ["reloadRun", (each) => each.under.store.reloadRun(run(each))],
      ["renewBranch", (each) => each.under.store.renewBranch(branch(each), branch(each).branchTurn, LEASE)],
      ["startBranch", (each) => each.under.store.startBranch(branch(each), branch(each).branchTurn)],
    ]);
  }

  /** What comes from outside. */
  private arrive(side: Side): Command {
    const { chance } = this;
    const [one, other] = [this.run(side), this.run(side)];
    const signal = { name: chance.name(), payload: chance.value(), id: chance.pick([null, "1", "2"]) };
    const signals = [one, other].map(({ runId }) => ({ runId, ...signal }));
    const { name, payload } = signal;
    const word = chance.pick([{ outcome: "again" }, { outcome: "completed", output: payload }] as const);
    const [asked, gate] = [`person ${chance.roll(6)}`, `signal ${chance.roll(6)}`];
    const mutation = {
      key: `m ${chance.roll(3)}`,
      request: { steps: [] },
      gate,
      name,
      known: chance.roll(2),
    };
    const digest = `${chance.name()} ${chance.roll(3)}`;
    return chance.pick([
      verb("deliverSignals", (store) => store.deliverSignals(TENANT, signals)),
      verb("deliverSignals", (store) => store.deliverSignals(TENANT, signals)),
      verb("signalGroup", (store) => store.signalGroup(TENANT, name, signal, "", 2)),
      verb("receiveHook", (store) => store.receiveHook(digest, payload)),
      verb("deliverWord", (store) => store.deliverWord(one, asked, word)),
      verb("appendSteps", (store) => store.appendSteps(one, mutation)),
      verb("mutations", (store) => store.mutations(one)),
    ]);
  }

  /** What a person does with runs. */
  private move(side: Side): Command {
    const ref = this.run(side);
    return this.chance.pick([
      verb("cancelRun", (store) => store.cancelRun(ref, false)),
      verb("cancelRun, compensating", (store) => store.cancelRun(ref, true)),
      verb("pauseRun", (store) => store.pauseRun(ref)),
      verb("resumeRun", (store) => store.resumeRun(ref)),
      verb("resumeRun", (store) => store.resumeRun(ref)),
      verb("reviveRun", (store) => store.reviveRun(ref)),
      verb("reviveRun", (store) => store.reviveRun(ref)),
      verb("discardRun", (store) => store.discardRun(ref)),
    ]);
  }

  private messages(side: Side): Command {
    const { chance } = this;
    const [ref, channel] = [this.run(side), chance.name()];
    // Channels of one mode mostly: else most commands are refused.
    const usual = ({ a: "broadcast", b: "competing", c: "direct" } as const)[channel as "a" | "b" | "c"];
    const mode = chance.isRare(9) ? "broadcast" : usual;
    const to = (mode === "direct") === chance.isRare(9) ? null : ref.runId;
    const message = { id: `message ${chance.roll(50)}`, channel, payload: chance.value(), to };
    return chance.pick([
      verb("subscribe", (store) => store.subscribe(ref, channel, mode)),
      verb("subscribe", (store) => store.subscribe(ref, channel, mode)),
      verb("unsubscribe", (store) => store.unsubscribe(ref, channel)),
      verb("publish", (store) => store.publish(TENANT, message)),
      verb("publish", (store) => store.publish(TENANT, message)),
      verb("publish", (store) => store.publish(TENANT, message)),
      verb("matchMessages: channel", (store) => store.matchMessages(TENANT, channel, 100)),
      verb("matchMessages: tenant", (store) => store.matchMessages(TENANT, null, 100)),
      verb("matchMessages: all", (store) => store.matchMessages(null, null, 100)),
      verb("deleteOldMessages", (store) => store.deleteOldMessages(HOUR, 100)),
    ]);
  }

  /** Without a limit: of equal times, each store may begin with another. */
  private sweep(): Command {
    const lostTurnLimit = this.chance.pick([1, 3, 3]);
    return this.chance.pick([
      verb("reclaimLeases", (store) => store.reclaimLeases(1_000, lostTurnLimit)),
      verb("reclaimBranches", (store) => store.reclaimBranches(1_000, lostTurnLimit)),
      verb("collectDueRuns", (store) => store.collectDueRuns(1_000, MINUTE, 2 * MINUTE)),
      verb("collectDueBranches", (store) => store.collectDueBranches(1_000, MINUTE, 2 * MINUTE)),
    ]);
  }

  /** Every lease runs out and is taken back. */
  private loss(): Command {
    return [
      "a lost lease",
      async ({ under }) => {
        await under.moveClock(LEASE);
        return [await under.store.reclaimLeases(1_000, 3), await under.store.reclaimBranches(1_000, 3)];
      },
    ];
  }

  private events(side: Side): Command {
    const { chance } = this;
    const status = chance.pick(["sent", "sent", "pending", "dead"] as const);
    const id = `event ${chance.roll(30)}`;
    const routes = [
      { sink: "all", types: ["*"] },
      { sink: "some", types: ["order.a", "order.b"] },
    ];
    const settle = (store: Store, { event: _, ...ref }: ClaimedSend) =>
      store.settleSends([{ ...ref, status, retryInMs: status === "pending" ? 1_000 : null, error: null }]);
    const place = side.sends.length === 0 ? null : this.placeIn(side.sends);
    const claim: Act = async ({ under, sends }) => {
      const claimed = await under.store.claimSends("all", 100, MINUTE);
      sends.push(...claimed);
      return claimed;
    };
    return chance.pick<Command>([
      verb("routeEvents", (store) => store.routeEvents(routes, 100)),
      ["claimSends", claim],
      place === null
        ? ["claimSends", claim]
        : ["settleSends", ({ under, sends }) => settle(under.store, at(sends, place))],
      verb("redeliverEvent", (store) => store.redeliverEvent(TENANT, id)),
      verb("forgetEvents", (store) => store.forgetEvents(100, HOUR)),
    ]);
  }

  private fork(side: Side): Command {
    const { chance } = this;
    const known = side.runs.at(-1)?.journal.map(({ key }) => key) ?? [];
    const from = known.length === 0 || chance.isRare(4) ? null : chance.pick(known);
    const ref = side.runs.at(-1) ?? this.run(side);
    const fork = { run: this.newRun(), from, hooks: [] };
    return verb("forkRun", (store) => store.forkRun(ref, fork));
  }

  private time(): Command {
    const ms = this.chance.pick([100, 1_000, 1_000, MINUTE, LEASE, LEASE, HOUR]);
    return [`moveClock ${ms}`, ({ under }) => under.moveClock(ms)];
  }
}

function verb(name: string, act: (store: Store) => Promise<unknown>): Command {
  return [name, ({ under }) => act(under.store)];
}

function at<T>(items: readonly T[], place: number): T {
  const item = items[place];
  if (item === undefined) throw new Error(`there is no place ${place}`);
  return item;
}

/** Stores claim in an order of their own. */
function byRef<T extends RunRef & { readonly key?: string }>(a: T, b: T): number {
  return `${a.runId} ${a.key}` < `${b.runId} ${b.key}` ? -1 : 1;
}
