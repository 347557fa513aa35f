/** What every command is about: runs, names and values, chosen by chance. */
import type { ClaimedSend } from "../../../src/engine/event.ts";
import type { Store } from "../../../src/engine/ports.ts";
import type { BranchRef, ClaimedBranch, ClaimedRun, NewRun, RunRef } from "../../../src/engine/run.ts";
import type { Row, Rows, StoreUnderTest } from "../../storage/support/bed.ts";
import { newRun } from "../../storage/support/builders.ts";
import type { Chance } from "../chance.ts";

/** A store, and what it has given so far: turns that are held, and turns that have long moved on. */
export interface Side {
  readonly under: StoreUnderTest;
  readonly runs: ClaimedRun[];
  readonly branches: ClaimedBranch[];
  readonly sends: ClaimedSend[];
}

/** Gives the answer of the store. */
export type Act = (side: Side) => Promise<unknown>;

/** What is done, to each side in turn. */
export type Make = (choices: Choices) => Act;

/** The second has runs, channels and events under the very names that the first has. */
const TENANTS = ["default", "other"] as const;

/** How many of the latest runs most commands are about. */
const FEW = 4;

/** What chance chooses from: what was asked for so far, and what the sides hold, which is the same on every side. */
export class Choices {
  readonly chance: Chance;
  readonly side: Side;
  private readonly ids: Map<string, string[]>;
  private readonly rows: Rows;

  /** `ids`: runs that were asked for, whether the store has them or not, by tenant, in their order. `rows`: all that is stored. */
  constructor(chance: Chance, ids: Map<string, string[]>, side: Side, rows: Rows) {
    this.chance = chance;
    this.ids = ids;
    this.side = side;
    this.rows = rows;
  }

  tenant(): string {
    return this.chance.isRare(5) ? TENANTS[1] : TENANTS[0];
  }

  newRun(tenant: string, fields: Partial<NewRun> = {}): NewRun {
    const ids = this.ids.get(tenant) ?? [];
    const id = `run ${String(ids.length + 1).padStart(4, "0")}`;
    this.ids.set(tenant, [...ids, id]);
    return newRun({ id, input: { json: 7, meta: null }, ...fields });
  }

  /** One of the latest runs that had a turn, or of all that were asked for; seldom under the id of another tenant's. */
  run(): RunRef {
    const { chance } = this;
    const latest = this.side.runs.slice(-FEW);
    const { tenant, runId } =
      latest.length === 0 || chance.isRare(3) ? this.anyRun(this.tenant()) : chance.pick(latest);
    return { tenant: chance.isRare(20) ? chance.pick(TENANTS) : tenant, runId };
  }

  private anyRun(tenant: string): RunRef {
    const { chance } = this;
    const ids = this.ids.get(tenant) ?? [];
    const some = chance.isRare(3) ? ids : ids.slice(-FEW);
    return { tenant, runId: some.length === 0 ? "nobody" : chance.pick(some) };
  }

  /** The run of a row that fits, if there is one and chance wants it; else any. */
  runWith(table: string, fits: (row: Row) => boolean = () => true): RunRef {
    const row = this.row(table, fits);
    return row === undefined || this.chance.isRare(4) ? this.run() : refOf(row);
  }

  /** A run in a state that chance chooses first, so that seldom ones are chosen as often as others. */
  runInSomeState(): RunRef {
    const row = this.ofSomeKind("runs", ({ status, phase }) => `${status} ${phase}`);
    return row === undefined || this.chance.isRare(5) ? this.run() : refOf(row);
  }

  /** The same of a branch. */
  branchInSomeState(): Row | undefined {
    return this.ofSomeKind("branches", ({ wake_at, started }) => `${wake_at === null} ${started}`);
  }

  private ofSomeKind(table: string, kindOf: (row: Row) => string): Row | undefined {
    const kinds = [...new Set(this.rowsOf(table).map(kindOf))];
    if (kinds.length === 0) return undefined;
    const kind = this.chance.pick(kinds);
    return this.row(table, (row) => kindOf(row) === kind);
  }

  /** One of what is stored. */
  row(table: string, fits: (row: Row) => boolean = () => true): Row | undefined {
    const found = this.rowsOf(table).filter(fits);
    return found.length === 0 ? undefined : this.chance.pick(found);
  }

  rowsOf(table: string): readonly Row[] {
    return this.rows[table] ?? [];
  }

  branch(fits: (row: Row) => boolean = () => true): BranchRef {
    const row = this.chance.isRare(2) ? this.branchInSomeState() : this.row("branches", fits);
    return row === undefined || this.chance.isRare(3)
      ? { ...this.run(), key: this.chance.name() }
      : { ...refOf(row), key: String(row.key) };
  }

  /** The place of a turn that the side was given: most often of one that is still held. */
  placeOfRun(): number {
    const { runs } = this.side;
    return this.placeIn(runs, ({ tenant, runId, turn }) =>
      this.isThere("runs", { tenant, id: runId, turn, status: "running" }),
    );
  }

  placeOfBranch(): number {
    const { branches } = this.side;
    return this.placeIn(branches, ({ tenant, runId, key, branchTurn }) =>
      this.isThere("branches", { tenant, run_id: runId, key, turn: branchTurn, wake_at: null }),
    );
  }

  placeOfSend(): number {
    return this.placeIn(this.side.sends, ({ tenant, runId, sink, attempt }) =>
      this.isThere("outbox_sends", { tenant, run_id: runId, sink, attempts: attempt, status: "pending" }),
    );
  }

  /** Of those that fit, but for one time in four; else the last, or any. */
  private placeIn<T>(items: readonly T[], fits: (item: T) => boolean): number {
    const { chance } = this;
    const fitting = [...items.keys()].filter((place) => fits(at(items, place)));
    if (fitting.length > 0 && !chance.isRare(4)) return chance.pick(fitting);
    return chance.isRare(3) ? chance.roll(items.length) : items.length - 1;
  }

  private isThere(table: string, fields: Row): boolean {
    return this.rowsOf(table).some((row) =>
      Object.entries(fields).every(([name, value]) => row[name] === value),
    );
  }
}

/** The run that a row is, or belongs to. */
export function refOf(row: Row): RunRef {
  return { tenant: String(row.tenant), runId: String(row.run_id ?? row.id) };
}

export function ask(act: (store: Store) => Promise<unknown>): Act {
  return ({ under }) => act(under.store);
}

export function at<T>(items: readonly T[], place: number): T {
  const item = items[place];
  if (item === undefined) throw new Error(`there is no place ${place}`);
  return item;
}

/** Stores claim in an order of their own. */
export function byRef<T extends RunRef & { readonly key?: string }>(a: T, b: T): number {
  return nameOf(a) < nameOf(b) ? -1 : 1;
}

function nameOf({ tenant, runId, key }: RunRef & { readonly key?: string }): string {
  return `${tenant} ${runId} ${key}`;
}
