import { Client, type QueryResult } from "@neondatabase/serverless";
import { NeonSession, NeonTransaction } from "drizzle-orm/neon-serverless";
import { PgDialect } from "drizzle-orm/pg-core";
import type { Isolation, Transaction } from "../../engine/workflow.ts";
import type { Row } from "../db.ts";
import { ConnectionLost, isLoss, sqlStateOf, TransactionOver } from "./errors.ts";

const CONNECT_MS = 10_000;
const COMMIT_MS = 15_000;
const LIMITS = `set local statement_timeout = '15s'; set local idle_in_transaction_session_timeout = '15s'`;

const BEGIN: Readonly<Record<Isolation, string>> = {
  "read committed": "begin isolation level read committed",
  "repeatable read": "begin isolation level repeatable read",
  serializable: "begin isolation level serializable",
};

type NoSchema = Record<string, never>;

/** One connection with the one transaction on it. Closing it rolls back whatever has not been committed. */
export class Session {
  /** What the last statement of the body that failed has failed with. */
  lastError: unknown;
  /** The transaction's number: another one later means that the body has ended it. */
  xid: unknown;
  private readonly client: Client;
  private readonly signal: AbortSignal;
  /** Rejects once the connection is gone, with why. */
  private readonly broken = Promise.withResolvers<never>();
  private isBroken = false;
  /** Rejects when the signal aborts, unless the commit has begun. */
  private readonly aborted = Promise.withResolvers<never>();
  private state: "ours" | "lent" | "committing" = "ours";

  constructor(url: string, local: string | undefined, signal: AbortSignal) {
    this.signal = signal;
    this.client = new Client({ connectionString: url, connectionTimeoutMillis: CONNECT_MS });
    if (local !== undefined) this.goThrough(local);
    for (const { promise } of [this.broken, this.aborted]) promise.catch(() => {});
    const breaks = (error: Error) => {
      this.isBroken = true;
      this.broken.reject(error);
    };
    // Both also tell the client, which has no listener of its own: unheard, an error would end the process.
    this.client.on("error", (error: Error) => breaks(isLoss(error) ? new ConnectionLost(error) : error));
    this.client.connection.on("end", () => breaks(new ConnectionLost(new Error("The connection ended."))));
    signal.addEventListener("abort", this.abort);
  }

  async begin(isolation: Isolation): Promise<void> {
    this.signal.throwIfAborted();
    try {
      await this.unlessAborted(this.client.connect());
    } catch (error) {
      this.signal.throwIfAborted();
      throw new ConnectionLost(error);
    }
    const text = `${BEGIN[isolation]}; ${LIMITS}; select pg_current_xact_id()::text as xid`;
    const results = (await this.unlessAborted(
      this.send(() => this.client.query(text)),
    )) as unknown as QueryResult[];
    this.xid = results.at(-1)?.rows[0]?.xid;
  }

  /** Gives what `work` gives. Its transaction is worth nothing once that has been given. */
  async lend<T>(work: (tx: Transaction) => Promise<T>): Promise<T> {
    const dialect = new PgDialect();
    const client = { query: (...args: Parameters<Client["query"]>) => this.forBody(args) };
    const session = new NeonSession<NoSchema, NoSchema>(client as unknown as Client, dialect, undefined);
    const tx = new NeonTransaction<NoSchema, NoSchema>(dialect, session, undefined);
    this.state = "lent";
    try {
      return await this.unlessAborted(work(tx));
    } catch (error) {
      // What the body makes of a lost connection says less than the loss.
      if (this.isBroken && !this.signal.aborted) await this.broken.promise;
      throw error;
    } finally {
      this.state = "ours";
    }
  }

  async query(text: string, params: readonly unknown[]): Promise<Row[]> {
    return (await this.unlessAborted(this.send(() => this.client.query(text, [...params])))).rows;
  }

  /** Gives the tag that Postgres answers with. Once it is sent, only the answer counts, whatever the signal says. */
  async commit(): Promise<string> {
    this.signal.throwIfAborted();
    this.state = "committing";
    const late = Promise.withResolvers<never>();
    const timer = setTimeout(
      () => late.reject(new ConnectionLost(new Error("No answer to COMMIT."))),
      COMMIT_MS,
    );
    try {
      return (await Promise.race([this.send(() => this.client.query("commit")), late.promise])).command;
    } finally {
      clearTimeout(timer);
    }
  }

  /** Nobody waits for the goodbye: there is nothing in it. */
  close(): void {
    this.signal.removeEventListener("abort", this.abort);
    void this.client.end().catch(() => {});
  }

  private readonly abort = () => {
    if (this.state === "committing") return;
    this.aborted.reject(this.signal.reason);
    this.close();
  };

  private goThrough(local: string): void {
    const { neonConfig } = this.client;
    neonConfig.wsProxy = (host, port) => `${local}/v2?address=${host}:${port}`;
    neonConfig.useSecureWebSocket = false;
    // A plain Postgres asks for SCRAM, which the driver cannot send ahead.
    neonConfig.pipelineConnect = false;
  }

  private async forBody(args: Parameters<Client["query"]>): Promise<QueryResult> {
    if (this.state !== "lent") throw new TransactionOver();
    try {
      return await this.unlessAborted(
        this.send(() => this.client.query(...args) as unknown as Promise<QueryResult>),
      );
    } catch (error) {
      this.lastError = error;
      throw error;
    }
  }

  /** What Postgres refuses is thrown as it is; for everything else that goes wrong the connection is lost. */
  private async send(query: () => Promise<QueryResult>): Promise<QueryResult> {
    try {
      return await Promise.race([this.broken.promise, query()]);
    } catch (error) {
      if (this.isBroken && sqlStateOf(error) === undefined) await this.broken.promise;
      throw isLoss(error) ? new ConnectionLost(error) : error;
    }
  }

  private unlessAborted<T>(work: Promise<T>): Promise<T> {
    return Promise.race([this.aborted.promise, work]);
  }
}
