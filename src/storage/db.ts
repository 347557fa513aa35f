/**
 * One way to Postgres: statements over Neon's HTTP protocol, a list in one round trip and one transaction.
 * There is no way to hold a transaction open from here, so nothing can wait on the network while a row is
 * locked (I10).
 */
import { NeonDbError, neon, neonConfig } from "@neondatabase/serverless";
import { StoreUnavailable } from "../engine/errors.ts";

/** SQL with `$1`… and what they are bound to. */
export interface Statement {
  readonly text: string;
  readonly params: readonly unknown[];
}

export type Row = Record<string, unknown>;

export interface Db {
  /**
   * Runs the statements in order, all or nothing, each with a snapshot of its own; gives the rows of each.
   * Throws `StoreUnavailable` when Postgres cannot be reached or refuses for a reason that passes: what was
   * written is then unknown. Any other `NeonDbError` is a statement that Postgres will never accept.
   */
  execute(statements: readonly Statement[]): Promise<Row[][]>;
}

/**
 * `timeoutMs`: a database that accepts a connection and never answers must not hold an invocation for ever.
 * `local` is the host and port of a Neon-compatible gateway, for development: the driver would otherwise
 * look for Neon's own endpoint beside the host of the connection string.
 */
export function connect(url: string, local: string | undefined, timeoutMs = 15_000): Db {
  if (local !== undefined) neonConfig.fetchEndpoint = () => `http://${local}/sql`;
  const sql = neon(url);
  const send = async (statements: readonly Statement[]): Promise<Row[][]> => {
    const fetchOptions = { signal: AbortSignal.timeout(timeoutMs) };
    const [first] = statements;
    if (first !== undefined && statements.length === 1) {
      return [await sql.query(first.text, [...first.params], { fetchOptions })];
    }
    const queries = statements.map(({ text, params }) => sql.query(text, [...params]));
    return await sql.transaction(queries, { fetchOptions });
  };
  return {
    async execute(statements) {
      try {
        return await again(() => send(statements));
      } catch (error) {
        throw isPassing(error) ? new StoreUnavailable(error) : error;
      }
    },
  };
}

const DEADLOCK = "40P01";
const TRIES = 3;

/**
 * Whom Postgres ends to resolve a deadlock has written nothing, and finds the way free. I11 keeps them away but for one:
 * a tree is locked as it was found, and children that are born meanwhile come after it, in whatever order.
 */
async function again<T>(work: () => Promise<T>): Promise<T> {
  for (let tries = 1; ; tries++) {
    try {
      return await work();
    } catch (error) {
      if (!(error instanceof NeonDbError) || error.code !== DEADLOCK || tries === TRIES) throw error;
    }
  }
}

/**
 * SQLSTATE classes that say nothing about the statement: connection (08), who may connect (28, such as a password
 * that was changed), transaction rollback (40: deadlock, serialisation), resources (53), lock not available (55P03),
 * operator intervention (57), system (58), a read-only server after a failover (25006). An error without one says
 * nothing about the statement either.
 */
const PASSING = /^(08|28|40|53|57|58)|^55P03$|^25006$/;

function isPassing(error: unknown): boolean {
  if (!(error instanceof NeonDbError)) return true;
  return !error.code || PASSING.test(error.code);
}
