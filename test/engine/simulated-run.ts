/**
 * A run that lives in memory: its turns and its branches are taken by the code that takes them in production, and
 * what they decide is written as Postgres would, with every value going through JSON text. The test chooses what
 * happens next; what breaks a constraint of the tables throws.
 */
import type { BranchOutcome } from "../../src/engine/branch.ts";
import { decode, type Encoded, encode } from "../../src/engine/codec.ts";
import type { Decision } from "../../src/engine/decide.ts";
import type { Delivery, DeliveryOutcome, FailedAttempt } from "../../src/engine/delivery.ts";
import type { Plan, When } from "../../src/engine/edge.ts";
import type { Effect } from "../../src/engine/effect.ts";
import type { Failure } from "../../src/engine/failure.ts";
import type { Entry, Timer, Wait } from "../../src/engine/journal.ts";
import { Replay } from "../../src/engine/plan/replay.ts";
import type { Transactions, Word } from "../../src/engine/ports.ts";
import {
  type ClaimedBranch,
  type ClaimedRun,
  isFinal,
  type RunStatus,
  type Verdict,
} from "../../src/engine/run.ts";
import {
  type AnyWorkflow,
  Registry,
  type Steps,
  type Transaction,
  type Workflow,
} from "../../src/engine/workflow.ts";
import { performBranch } from "../../src/runtime/perform-branch.ts";
import type { Runtime } from "../../src/runtime/runtime.ts";
import { takeTurn } from "../../src/runtime/take-turn.ts";
import { WarmBranches } from "../../src/runtime/warm-branches.ts";
import { WarmRuns } from "../../src/runtime/warm-runs.ts";
import { LEASE_MS, runtimeOf } from "../runtime/support.ts";
import { seeded } from "../support/random.ts";
import { addresses, claimedRun, deliveryOf, entryOf, NOON, rest, stored } from "./builders.ts";

export interface BranchRow {
  readonly key: string;
  readonly askedAt: number;
  attempt: number;
  spent: number;
  dueAt: number;
  turn: number;
  leased: boolean;
  started: boolean;
  attempts: FailedAttempt[];
}

export type WaitRow = Wait & { readonly name: string };

/** What may happen next: to the run's turn, or to one of its branches. */
export interface Option {
  readonly what: "commit" | "take" | "begin" | "deliver";
  readonly key: string | null;
}

export type Choice = (options: readonly Option[]) => Option | undefined;

const first: Choice = (options) => options[0];

export class SimulatedRun {
  /** The code of this deployment: a test may put another in its place between two turns. */
  workflow: AnyWorkflow;
  journal: Entry[] = [];
  timers: Timer[] = [];
  waits: WaitRow[] = [];
  branches: BranchRow[] = [];
  inbox: Delivery[] = [];
  verdict: Verdict | null = null;
  failedCompensations = 0;
  deadlineAt: number | null = null;
  status: RunStatus = "ready";
  wakeAt: number | null = NOON;
  now = NOON;
  /** How many turns were taken. */
  turns = 0;
  /** The fence (I2). */
  turnNumber = 0;
  /** The keys of the bodies that ran, in that order. */
  readonly performed: string[] = [];
  /** What the commits carried out. */
  readonly effects: Effect[] = [];
  /** Every branch that was ever forked. */
  readonly forked: { readonly key: string; readonly askedAt: number }[] = [];
  last: Decision | undefined;
  readonly runtime: Runtime;
  private deliveries = 0;
  private ids = 0;
  private readonly input: Encoded;
  private readonly choose: Choice;
  private taken: Decision | undefined;
  private readonly given = new Map<string, BranchOutcome>();

  constructor(
    workflow: AnyWorkflow,
    input: unknown = null,
    choose: Choice = first,
    others: readonly AnyWorkflow[] = [],
    isWarm = false,
  ) {
    this.workflow = workflow;
    this.input = encode(input, "The input");
    this.choose = choose;
    const registry = () => new Registry([this.watched(), ...others]);
    const started = async (_ref: unknown, branchTurn: number) => {
      const row = this.branches.find(({ turn, leased }) => leased && turn === branchTurn);
      if (row !== undefined) row.started = true;
      return row !== undefined;
    };
    const warm = isWarm ? new WarmRuns({ fromEntries: 0 }) : null;
    const transactions: Transactions = {
      run: async (branch, _isolation, _signal, work) => {
        const { output } = await work({} as Transaction);
        return this.deliverBranch({ ...outcomeFor(branch), output });
      },
    };
    this.runtime = {
      ...runtimeOf({ store: { startBranch: started } }),
      transactions,
      get warmRuns() {
        return warm;
      },
      warmBranches: isWarm ? new WarmBranches() : null,
      get registry() {
        return registry();
      },
    };
  }

  /** The run as a claim would read it. */
  get claim(): ClaimedRun {
    const { workflow, now, journal, timers, input, deadlineAt, deliveries, inbox, verdict } = this;
    const { turnNumber: turn, failedCompensations } = this;
    const waits = this.waits.map(({ name: _, ...wait }) => wait);
    const branches = this.branches.map(({ key, leased }) => ({ key, leased }));
    const { name, version } = workflow;
    const facts = { workflow: name, version, turn, now, input, deadlineAt, deliveries, verdict };
    return stored(claimedRun({ ...facts, failedCompensations, journal, timers, waits, branches, inbox }));
  }

  /** What the code asks for, given the journal; performs and writes nothing. */
  async plan(upTo = Number.POSITIVE_INFINITY): Promise<Plan> {
    return (await this.replay(upTo)).plan;
  }

  /** The same, with the planner that found it. */
  async replay(upTo = Number.POSITIVE_INFINITY): Promise<{ plan: Plan; planner: Replay }> {
    const run = this.claim;
    const journal = run.journal.filter(({ seq }) => seq <= upTo);
    const partial = upTo === Number.POSITIVE_INFINITY ? {} : { timers: [], waits: [] };
    const planner = new Replay(this.workflow, { ...run, ...partial, journal }, rest, addresses);
    return { plan: await planner.start(decode(run.input)), planner };
  }

  /** Claims, replays, takes what has arrived, performs at most one step, commits. */
  async turn(): Promise<Decision> {
    const decision = await this.take();
    this.commit(decision);
    return decision;
  }

  /** A turn up to its commit: what is delivered before that arrives while the turn runs. */
  async take(): Promise<Decision> {
    this.turns += 1;
    this.turnNumber += 1;
    this.status = "running";
    this.wakeAt = null;
    const leaseUntil = this.runtime.clock.now() + LEASE_MS;
    const before = this.performed.length;
    const decision = await takeTurn(this.runtime, { run: this.claim, leaseUntil });
    if (decision === null || decision === "cold") throw new Error("The turn was lost.");
    if (this.performed.length > before + 1) throw new Error("A turn performed more than one body.");
    return structuredClone(decision);
  }

  /** False, and nothing written, when the turn has moved on (I2). */
  commit(decision: Decision): boolean {
    if (decision.turn !== this.turnNumber || this.status !== "running") return false;
    this.last = decision;
    this.write(decision);
    const parked = Math.min(decision.wakeAt ?? Infinity, this.now + (decision.wakeInMs ?? Infinity));
    const final = isFinal(decision.status);
    const missed = decision.deliveries !== this.deliveries;
    this.status = missed && !final ? "ready" : decision.status;
    const wakeAt = missed ? this.now : parked;
    const deadlineAt = decision.verdict === null ? (this.deadlineAt ?? Infinity) : Infinity;
    const due = Math.min(wakeAt, deadlineAt);
    this.wakeAt = final || due === Infinity ? null : due;
    const answered = decision.waits.some((wait) => this.inbox.some((delivery) => isAnswer(delivery, wait)));
    if (answered && this.status === "waiting") {
      this.status = "ready";
      this.wakeAt = this.now;
    }
    if (final) this.clearUp();
    return true;
  }

  /** Leases a branch and performs one attempt of it; `deliver` brings what it gave. */
  async begin(key: string): Promise<BranchOutcome | null> {
    const branch = this.lease(key);
    const before = this.performed.length;
    const leaseUntil = this.runtime.clock.now() + LEASE_MS;
    const outcome = await performBranch(this.runtime, { branch, leaseUntil });
    if (this.performed.length > before + 1) throw new Error("A branch performed more than one body.");
    if (outcome !== null) this.given.set(key, structuredClone(outcome));
    return outcome;
  }

  /** Takes the lease on a branch that is due. */
  lease(key: string): ClaimedBranch {
    const row = this.branches.find((branch) => branch.key === key);
    if (row === undefined || row.leased || row.dueAt > this.now) throw new Error(`${key} is not due`);
    row.turn += 1;
    row.leased = true;
    const { attempt, spent, turn: branchTurn, askedAt } = row;
    const { workflow, now, input, deadlineAt, turnNumber: turn } = this;
    const journal = this.journal.filter(({ seq }) => seq <= askedAt);
    const { name, version } = workflow;
    const run = stored(claimedRun({ workflow: name, version, turn, now, input, deadlineAt, journal }));
    const { tenant, runId } = run;
    return { tenant, runId, key, attempt, spent, branchTurn, askedAt, run };
  }

  /** Brings to the run what `begin` gave. */
  deliver(key: string): void {
    const outcome = this.given.get(key);
    this.given.delete(key);
    if (outcome !== undefined && outcome.outcome !== "delivered") this.deliverBranch(outcome);
  }

  /** Brings an output that no body gave, for a branch that is leased. */
  give(key: string, branchTurn: number, output: unknown): void {
    const { tenant, runId } = claimedRun();
    const nothing = { failure: null, retryInMs: null, tookMs: 0, attempt: 1 };
    const outcome = "completed" as const;
    this.deliverBranch({ tenant, runId, key, branchTurn, outcome, output: encodedOf(output), ...nothing });
  }

  /** One attempt of a branch, from its lease to the run's inbox. */
  async perform(key: string): Promise<BranchOutcome | null> {
    const outcome = await this.begin(key);
    this.deliver(key);
    return outcome;
  }

  /** What the sweep does with a branch whose lease has run out. `limit`: it was lost once too often. */
  loseBranch(key: string, limit = false): void {
    const row = this.branches.find((branch) => branch.key === key && branch.leased);
    if (row === undefined) throw new Error(`${key} is not leased`);
    this.given.delete(key);
    row.turn += 1;
    row.leased = false;
    if (!row.started && !limit && this.verdict === null) {
      row.dueAt = this.now;
      return;
    }
    this.branches = this.branches.filter((other) => other !== row);
    if (this.verdict === null) {
      const outcome = row.started ? "unknown" : "dead";
      const failure: Failure | null =
        outcome === "dead"
          ? { code: "lost_turns_exhausted", name: "LostTurnsExhausted", message: "lost" }
          : null;
      this.arrive({ kind: "branch", name: key, outcome, failure, ...attemptsOf(row) });
    } else this.bump();
  }

  signal(name: string, payload?: unknown): void {
    this.arrive({ kind: "signal", name, outcome: "completed", payload: encodedOf(payload) });
  }

  /** Steps that were appended to the run's graph. */
  append(request: unknown): void {
    this.arrive({ kind: "mutation", name: "graph", outcome: "completed", payload: encodedOf(request) });
  }

  /** What a channel has for the wait of this key. */
  message(key: string, payload?: unknown): void {
    this.arrive({ kind: "message", name: key, outcome: "completed", payload: encodedOf(payload) });
  }

  /** The child that the step waits for is over. */
  endChild(key: string, outcome: DeliveryOutcome, what: { output?: unknown; failure?: Failure } = {}): void {
    const wait = this.waits.find((w) => w.key === key && w.kind === "child");
    if (wait === undefined) throw new Error(`nobody waits for the child of ${key}`);
    const { output, failure = null } = what;
    const payload = encodedOf(output);
    this.arrive({ kind: "child", name: key, outcome, sender: wait.name, payload, failure });
  }

  /** A person says what came of an at-most-once step. */
  word(key: string, word: Word): void {
    if (!this.waits.some((w) => w.key === key && w.kind === "person"))
      throw new Error(`no word on ${key} is due`);
    const payload = word.outcome === "completed" ? word.output : null;
    this.arrive({ kind: "person", name: key, outcome: word.outcome, payload });
  }

  /** What a cancel does that has the run undo what it did. */
  cancel(): void {
    this.turnNumber += 1;
    this.verdict = { status: "cancelled", failure: null };
    this.status = "ready";
    this.wakeAt = this.now;
  }

  /** What a person's revive writes. */
  revive(): void {
    const seq = (this.journal.at(-1)?.seq ?? 0) + 1;
    const failure = this.last?.failure ?? null;
    this.journal.push(entryOf({ seq, kind: "revival", key: null, outcome: "revived", failure }));
    this.turnNumber += 1;
    this.status = "ready";
    this.wakeAt = this.now;
    if (this.deadlineAt !== null && this.deadlineAt <= this.now) this.deadlineAt = null;
  }

  /** What could happen next, without the clock moving. */
  get options(): Option[] {
    const goesForward = this.verdict === null;
    const options: Option[] = [];
    if (this.taken !== undefined) options.push({ what: "commit", key: null });
    else if (this.wakeAt !== null && this.wakeAt <= this.now) options.push({ what: "take", key: null });
    for (const key of this.given.keys()) options.push({ what: "deliver", key });
    for (const { key, leased, dueAt } of this.branches) {
      if (!leased && dueAt <= this.now && goesForward) options.push({ what: "begin", key });
    }
    return options;
  }

  /** True when only a fact from outside can move the run. */
  get isStill(): boolean {
    if (this.options.length > 0 || this.wakeAt !== null) return false;
    return !this.branches.some(({ leased }) => !leased);
  }

  /** Lets one of them happen, or moves the clock to what comes next. */
  async advance(): Promise<void> {
    const options = this.options;
    const option = options.length === 0 ? undefined : (this.choose(options) ?? options[0]);
    if (option === undefined) return this.moveClock();
    const { what, key } = option;
    if (what === "take") this.taken = await this.take();
    else if (what === "commit") {
      if (this.taken !== undefined) this.commit(this.taken);
      this.taken = undefined;
    } else if (what === "begin") await this.begin(key ?? "");
    else this.deliver(key ?? "");
  }

  /** Goes on until the run is over. */
  async finish(limit = 2_000): Promise<Decision> {
    for (let i = 0; i < limit; i++) {
      if (isFinal(this.status) && this.last !== undefined) return this.last;
      await this.advance();
    }
    throw new Error(`The run was not over after ${limit} events.`);
  }

  /** Goes on until nothing but time or a fact from outside can move the run; or until it is over. */
  async settle(limit = 2_000): Promise<Decision> {
    for (let i = 0; i < limit; i++) {
      if (this.options.length === 0 || isFinal(this.status)) break;
      await this.advance();
    }
    if (this.last === undefined) throw new Error("The run never took a turn.");
    return this.last;
  }

  private moveClock(): void {
    const dues = this.branches.flatMap(({ leased, dueAt }) => (leased ? [] : [dueAt]));
    const next = Math.min(this.wakeAt ?? Infinity, ...dues);
    if (next === Infinity) throw new Error(`Nothing would move the run, which is ${this.status}.`);
    this.now = Math.max(this.now, next);
  }

  private write(decision: Decision): void {
    for (const { retryInMs, tookMs: _, ...entry } of decision.entries) {
      this.refuseDoubles(entry);
      this.journal.push({ ...entry, retryAt: retryInMs === null ? null : this.now + retryInMs });
    }
    for (const { id } of decision.consumed) {
      if (!this.inbox.some((delivery) => delivery.id === id))
        throw new Error(`delivery ${id} is taken twice`);
      this.inbox = this.inbox.filter((delivery) => delivery.id !== id);
    }
    const begun = decision.timers.map(({ key, due }) => ({
      key,
      begunAt: this.now,
      dueAt: this.instantOf(due),
    }));
    this.timers = [...this.timers.filter(({ key }) => !decision.endedTimers.includes(key)), ...begun];
    this.waits = this.waits.filter(({ key }) => !decision.endedWaits.includes(key));
    for (const { key, kind, name, due } of decision.waits) {
      if (this.waits.some((wait) => wait.key === key)) throw new Error(`the wait ${key} begins twice`);
      this.waits.push({
        key,
        kind,
        name,
        begunAt: this.now,
        dueAt: due === null ? null : this.instantOf(due),
      });
    }
    this.branches = this.branches.filter(
      ({ key, leased }) => !decision.endedBranches.includes(key) || (leased && decision.verdict !== null),
    );
    for (const { key, askedAt, attempt, spent, due } of decision.branches) {
      if (this.branches.some((branch) => branch.key === key)) continue;
      this.forked.push({ key, askedAt });
      const dueAt = due === null ? this.now : this.instantOf(due);
      const idle = { leased: false, started: false, attempts: [], turn: 0 };
      this.branches.push({ key, askedAt, attempt, spent, dueAt, ...idle });
    }
    this.effects.push(...decision.effects);
    this.verdict = decision.verdict;
    this.failedCompensations = decision.failedCompensations;
  }

  /** I1 */
  private refuseDoubles({ key, attempt, outcome, seq }: Entry | Omit<Entry, "retryAt">): void {
    const twin = this.journal.find(
      (entry) =>
        entry.seq === seq ||
        (key !== null &&
          entry.key === key &&
          (entry.attempt === attempt || (entry.outcome === "completed" && outcome === "completed"))),
    );
    if (twin !== undefined) throw new Error(`entry ${seq} for ${key}, attempt ${attempt}, breaks I1`);
  }

  private clearUp(): void {
    if (this.status !== "dead") this.branches = [];
    if (this.status !== "completed" && this.status !== "cancelled") return;
    this.waits = [];
    this.inbox = [];
  }

  /** False, and nothing delivered, when the branch's lease is lost. */
  private deliverBranch(outcome: BranchOutcome): boolean {
    const { key, branchTurn, attempt, failure, tookMs, retryInMs, output } = outcome;
    const row = this.branches.find((b) => b.key === key && b.turn === branchTurn && b.leased);
    if (row === undefined) return false;
    if (outcome.outcome === "retrying") {
      if (failure === null) throw new Error("an attempt is retried for no reason");
      row.attempts.push({ attempt, failure, tookMs, atMs: this.now });
      row.attempt += 1;
      row.spent += 1;
      row.leased = false;
      row.dueAt = this.now + (retryInMs ?? 0);
      return true;
    }
    this.branches = this.branches.filter((other) => other !== row);
    const given = outcome.outcome === "delivered" ? "completed" : outcome.outcome;
    const { attempts } = row;
    this.arrive({
      kind: "branch",
      name: key,
      outcome: given,
      payload: output,
      failure,
      attempt,
      attempts,
      tookMs,
    });
    return true;
  }

  private arrive(what: Pick<Delivery, "kind" | "name" | "outcome"> & Partial<Delivery>): void {
    this.ids += 1;
    this.inbox.push(deliveryOf({ id: this.ids, arrivedAt: this.now, ...what }));
    this.bump();
  }

  private bump(): void {
    this.deliveries += 1;
    if (this.status === "waiting" && (this.wakeAt === null || this.wakeAt > this.now)) this.wakeAt = this.now;
  }

  private instantOf(due: When): number {
    return "at" in due ? due.at : this.now + due.inMs;
  }

  /** The workflow, with every body noting that it ran. */
  private watched(): AnyWorkflow {
    const note = (context: unknown) => {
      const { idempotencyKey } = context as { idempotencyKey: string };
      this.performed.push(decodeURIComponent(idempotencyKey.slice(idempotencyKey.indexOf(":") + 1)));
    };
    const watch = <Body>(body: Body, at: number): Body =>
      typeof body !== "function"
        ? body
        : (((...given: unknown[]) => {
            note(given[at]);
            return body(...given);
          }) as Body);
    const undo = (options: unknown) => {
      if (typeof options !== "object" || options === null || !("compensate" in options)) return options;
      return { ...options, compensate: watch(options.compensate, 0) };
    };
    const steps = (step: Steps) => {
      const call = step as unknown as Record<string, (...given: unknown[]) => unknown>;
      return {
        ...step,
        run: (...[name, body, options]: unknown[]) => call.run?.(name, watch(body, 0), undo(options)),
        transaction: (...[name, body, options]: unknown[]) =>
          call.transaction?.(name, watch(body, 1), undo(options)),
        map: (...[name, items, body, options]: unknown[]) =>
          call.map?.(name, items, watch(body, 1), undo(options)),
      } as Steps;
    };
    const { run, ...rest } = this.workflow as Workflow;
    return { ...rest, run: (context) => run({ ...context, step: steps(context.step) }) } as Workflow;
  }
}

/** Runs a workflow from start to end. */
export async function simulate(workflow: AnyWorkflow, input?: unknown, choose?: Choice) {
  const run = new SimulatedRun(workflow, input, choose);
  return { decision: await run.finish(), run };
}

/** Lets happen, again and again, what the numbers choose. */
export function inOrder(numbers: readonly number[]): Choice {
  let turn = 0;
  return (options) => options[(numbers[turn++] ?? 0) % Math.max(1, options.length)];
}

/** Lets happen whatever chance chooses, the same for the same seed. */
export function byChance(seed: number): Choice {
  const random = seeded(seed);
  return (options) => options[Math.floor(random() * options.length)];
}

/** Lets branches end in the given order, whatever else could happen; then in the order in which they began. */
export function endingIn(...keys: readonly string[]): Choice {
  const left = [...keys];
  return (options) => {
    const other = options.find(({ what }) => what !== "deliver");
    if (other !== undefined) return other;
    const next = options.find(({ key }) => key === left[0]) ?? options[0];
    if (next?.key === left[0]) left.shift();
    return next;
  };
}

function isAnswer({ kind, name }: Delivery, wait: { kind: string; name: string; key: string }): boolean {
  return kind === wait.kind && name === (kind === "signal" || kind === "mutation" ? wait.name : wait.key);
}

function attemptsOf({ attempt, attempts }: BranchRow) {
  return { attempt, attempts };
}

function encodedOf(value: unknown): Encoded | null {
  return value === undefined ? null : encode(value, "The payload");
}

function outcomeFor({ tenant, runId, key, branchTurn, attempt }: ClaimedBranch): BranchOutcome {
  const nothing = { output: null, failure: null, retryInMs: null, tookMs: 0 };
  return { tenant, runId, key, branchTurn, attempt, outcome: "completed", ...nothing };
}
