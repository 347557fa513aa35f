import { StoreUnavailable } from "../engine/errors.ts";
import { QueryTimeout } from "../engine/refusals.ts";
import type { Db, Statement } from "./db.ts";

/** SQLSTATE of a statement that its timeout ended. */
const CANCELLED = "57014";

/** The same database for questions of which each may take so long and no longer: throws `QueryTimeout`. */
export function bounded(db: Db, ms: number): Db {
  const limit: Statement = { text: "select set_config('statement_timeout', $1, true)", params: [String(ms)] };
  return {
    async execute(statements) {
      try {
        return (await db.execute([limit, ...statements])).slice(1);
      } catch (error) {
        throw isCancelled(error) ? new QueryTimeout(ms) : error;
      }
    },
  };
}

function isCancelled(error: unknown): boolean {
  if (!(error instanceof StoreUnavailable)) return false;
  return (error.cause as { readonly code?: unknown } | undefined)?.code === CANCELLED;
}
