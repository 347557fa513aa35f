/** Runs what the driver posts: one query, or a batch in one transaction; every value as Postgres' text. */
import type { IncomingHttpHeaders } from "node:http";
import type pg from "pg";
import type { Pools } from "./pools.ts";

interface Query {
  readonly query: string;
  readonly params?: readonly unknown[];
}

export type Payload = Query | { readonly queries: readonly Query[] };

/** A request that is wrong before Postgres sees it. */
class BadRequest extends Error {}

const isolationLevels = new Map([
  ["ReadUncommitted", "READ UNCOMMITTED"],
  ["ReadCommitted", "READ COMMITTED"],
  ["RepeatableRead", "REPEATABLE READ"],
  ["Serializable", "SERIALIZABLE"],
]);
const rawText = { getTypeParser: () => (text: string) => text };

export async function runSql(pools: Pools, headers: IncomingHttpHeaders, payload: Payload): Promise<unknown> {
  const connectionString = headers["neon-connection-string"];
  if (typeof connectionString !== "string") throw new BadRequest("missing header neon-connection-string");
  if ("queries" in payload) {
    const begin = beginning(headers);
    return pools.use(connectionString, async (client) => ({
      results: (await runBatch(client, begin, payload.queries)).map(describe),
    }));
  }
  if (typeof payload.query !== "string") throw new BadRequest("missing query");
  return pools.use(connectionString, async (client) => describe(await run(client, payload)));
}

/** Everything is sent at once. After a failure Postgres refuses the rest, and COMMIT rolls back. */
async function runBatch(
  client: pg.PoolClient,
  begin: string,
  queries: readonly Query[],
): Promise<pg.QueryArrayResult[]> {
  const sent = [client.query(begin), ...queries.map((query) => run(client, query)), client.query("COMMIT")];
  const outcomes = await Promise.allSettled(sent);
  const failed = outcomes.find((outcome) => outcome.status === "rejected");
  if (failed !== undefined) throw failed.reason;
  return (await Promise.all(sent)).slice(1, -1) as pg.QueryArrayResult[];
}

function run(client: pg.PoolClient, { query, params = [] }: Query): Promise<pg.QueryArrayResult> {
  return client.query({
    name: preparedName(query),
    text: query,
    values: [...params],
    rowMode: "array",
    types: rawText,
    // As in production: one statement to a query, also when it has no parameters.
    queryMode: "extended",
  } as pg.QueryArrayConfig);
}

const preparedNames = new Map<string, string>();

/**
 * Pawl's own statements are few and constant: planning each anew costs more than running it. Others stay
 * unprepared, since a plan that is kept refuses to go on when its table gets another column.
 */
function preparedName(query: string): string | undefined {
  if (!query.includes("pawl.")) return undefined;
  const name = preparedNames.get(query) ?? `pawl_${preparedNames.size}`;
  preparedNames.set(query, name);
  return name;
}

function beginning(headers: IncomingHttpHeaders): string {
  const words = ["BEGIN"];
  const level = headers["neon-batch-isolation-level"];
  if (level !== undefined) {
    const name = isolationLevels.get(String(level));
    if (name === undefined) throw new BadRequest("invalid isolation level");
    words.push("ISOLATION LEVEL", name);
  }
  if (headers["neon-batch-read-only"] === "true") words.push("READ ONLY");
  if (headers["neon-batch-deferrable"] === "true") words.push("DEFERRABLE");
  return words.join(" ");
}

function describe({ fields, rows, command, rowCount }: pg.QueryArrayResult): unknown {
  return { fields, rows, command, rowCount, rowAsArray: true };
}
