/** One pool of connections for each connection string that the clients name. */
import { setTimeout } from "node:timers/promises";
import pg from "pg";

const size = 10;
/** Refused at once when nobody listens; this is for a database that does not answer, or a full pool. */
const connectionTimeoutMillis = 30_000;
const endPatience = 1_000;

/** No connection could be made, so nothing was run; `cause` says why. */
export class Unreachable extends Error {}

export class Pools {
  readonly #pools = new Map<string, pg.Pool>();
  readonly #upstream: string | undefined;

  constructor(upstream: string | undefined) {
    this.#upstream = upstream;
  }

  /** Lends a connection; a caller that broke it says so when it gives it back. */
  async use<T>(connectionString: string, body: (client: pg.PoolClient) => Promise<T>): Promise<T> {
    const client = await this.#connect(this.#upstream ?? connectionString);
    let broken = false;
    // A connection cut while lent reports it here, besides failing the query; unheard it ends the process.
    const onError = () => {
      broken = true;
    };
    client.on("error", onError);
    try {
      return await body(client);
    } finally {
      client.off("error", onError);
      client.release(broken || client.getTransactionStatus() !== "I");
    }
  }

  /** Queries that still run are left to their connections. */
  async end(): Promise<void> {
    const ended = [...this.#pools.values()].map((pool) => pool.end());
    await Promise.race([Promise.all(ended), setTimeout(endPatience, undefined, { ref: false })]);
  }

  async #connect(connectionString: string): Promise<pg.PoolClient> {
    try {
      return await this.#of(connectionString).connect();
    } catch (cause) {
      const rejected = cause instanceof pg.DatabaseError && cause.code?.startsWith("28");
      throw rejected ? cause : new Unreachable("no connection to Postgres", { cause });
    }
  }

  #of(connectionString: string): pg.Pool {
    let pool = this.#pools.get(connectionString);
    if (pool === undefined) {
      // With `pipeline` a batch crosses in one go: nobody waits for BEGIN before sending what follows.
      pool = new pg.Pool({ connectionString, max: size, pipeline: true, connectionTimeoutMillis });
      pool.on("error", () => {});
      // One that breaks before whoever asked for it listens, as when Postgres dies in that moment, would end the process.
      pool.on("connect", (client) => client.on("error", () => {}));
      this.#pools.set(connectionString, pool);
    }
    return pool;
  }
}
