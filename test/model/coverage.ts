/** What has been asked and answered, and which ways runs and branches went: what never came by has shown nothing. */
import { PawlError } from "../../src/engine/errors.ts";
import type { Row, Rows, StoreUnderTest } from "../storage/support/bed.ts";
import { told } from "./answers.ts";

export class Coverage {
  /** "port.verb: answer" of everything that the stores were asked. */
  readonly answers = new Set<string>();
  /** Classes of the errors that verbs threw, or wrote into rows. */
  readonly errors = new Set<string>();
  /** "before → after" of runs and of branches. */
  readonly runs = new Set<string>();
  readonly branches = new Set<string>();
  private before: Rows = {};

  /** The same store; whatever it is asked is noted. */
  over(under: StoreUnderTest): StoreUnderTest {
    return {
      ...under,
      store: this.noting("store", under.store),
      reads: this.noting("reads", under.reads),
      transactions: this.noting("transactions", under.transactions),
    };
  }

  private noting<T extends object>(port: string, verbs: T): T {
    return new Proxy(verbs, {
      get: (target, name, receiver) => {
        const verb = Reflect.get(target, name, receiver) as (...args: unknown[]) => Promise<unknown>;
        return async (...args: unknown[]) => {
          const answer = await verb(...args).catch((error: unknown) => {
            if (error instanceof PawlError) this.errors.add(error.name);
            throw error;
          });
          for (const word of told(answer)) this.answers.add(`${port}.${String(name)}: ${word}`);
          return answer;
        };
      },
    });
  }

  /** To be called when nothing is stored. */
  begin(): void {
    this.before = {};
  }

  /** To be called after each command with all that is stored then. */
  see(rows: Rows): void {
    for (const way of waysOf(this.before.runs, rows.runs, "id", stateOfRun)) this.runs.add(way);
    for (const way of waysOf(this.before.branches, rows.branches, "key", stateOfBranch))
      this.branches.add(way);
    for (const row of [...(rows.runs ?? []), ...(rows.deliveries ?? [])]) {
      const failure = row.failure as { readonly name: string } | null;
      if (failure !== null) this.errors.add(failure.name);
    }
    this.before = rows;
  }
}

const NONE = "none";

function* waysOf(
  before: readonly Row[] = [],
  after: readonly Row[] = [],
  key: string,
  stateOf: (row: Row) => string,
): Generator<string> {
  const states = (rows: readonly Row[]) =>
    new Map(rows.map((row) => [`${row.tenant} ${row.run_id} ${row[key]}`, stateOf(row)]));
  const [old, now] = [states(before), states(after)];
  for (const name of new Set([...old.keys(), ...now.keys()])) {
    const [from, to] = [old.get(name) ?? NONE, now.get(name) ?? NONE];
    if (from !== to) yield `${from} → ${to}`;
  }
}

/** A run that undoes what it did is told apart while it is not over. */
function stateOfRun({ status, phase, finished_at }: Row): string {
  return phase === "compensating" && finished_at === null ? `${status}, compensating` : String(status);
}

function stateOfBranch({ lease_expires_at, started }: Row): string {
  const held = lease_expires_at === null ? "due" : "leased";
  return started ? `${held}, started` : held;
}
