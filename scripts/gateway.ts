/**
 * Stands before a local Postgres and speaks what `@neondatabase/serverless` speaks, so that the worker uses
 * the same driver locally as in production. It accepts any connection string: 127.0.0.1 only, never shipped.
 *
 *   POST /sql   one query `{query, params}` or a batch `{queries}` in one transaction
 *   GET  /v2    WebSocket tunnel to Postgres' port
 *
 * Errors as Neon's proxy gives them, always JSON with `message` and Postgres' fields ("" where there is none):
 *   400  Postgres refused the query, with its SQLSTATE in `code`
 *   400  the connection broke while the query ran: `code` is "", and whether it took effect is unknown
 *   500  no connection could be made: nothing was run
 */
import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { errorFields } from "@neondatabase/serverless";
import pg from "pg";
import { WebSocketServer } from "ws";
import { Pools, Unreachable } from "./gateway/pools.ts";
import { type Payload, runSql } from "./gateway/sql.ts";
import { tunnel } from "./gateway/tunnel.ts";

export interface GatewayOptions {
  readonly port?: number;
  /** Used in place of every connection string that clients send. */
  readonly upstream?: string;
}

export interface RunningGateway {
  /** `127.0.0.1:<port>`, what the worker's `NEON_LOCAL` takes. */
  readonly host: string;
  stop(): Promise<void>;
}

export async function startGateway({ port = 0, upstream }: GatewayOptions = {}): Promise<RunningGateway> {
  const pools = new Pools(upstream);
  const server = createServer((request, response) => void answer(pools, request, response));
  // A kept connection that closes while the worker sends on it would look like a lost query.
  server.keepAliveTimeout = 0;
  const sockets = new WebSocketServer({ server, path: "/v2" });
  sockets.on("connection", (socket, request) => tunnel(socket, request, upstream));
  server.listen(port, "127.0.0.1");
  await once(server, "listening");
  return {
    host: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    async stop() {
      for (const socket of sockets.clients) socket.terminate();
      server.closeAllConnections();
      await new Promise((closed) => server.close(closed));
      await pools.end();
    },
  };
}

async function answer(pools: Pools, request: IncomingMessage, response: ServerResponse): Promise<void> {
  try {
    if (request.method !== "POST" || request.url !== "/sql")
      return reply(response, 404, { message: "not found" });
    const payload: Payload = JSON.parse(await readBody(request));
    reply(response, 200, await runSql(pools, request.headers, payload));
  } catch (error) {
    reply(response, error instanceof Unreachable ? 500 : 400, describeError(error));
  }
}

/** Events rather than an iterator: it is on the path of every query. */
function readBody(request: IncomingMessage): Promise<string> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.once("end", () => resolve(Buffer.concat(chunks).toString()));
    request.once("error", reject);
  });
}

function describeError(error: unknown): Record<string, string> {
  const cause = error instanceof Unreachable ? error.cause : error;
  const message = cause instanceof Error ? cause.message || cause.name : String(cause);
  // Codes of the network (ECONNRESET) must not pass for a SQLSTATE.
  const fields = cause instanceof pg.DatabaseError ? cause : undefined;
  return { message, ...Object.fromEntries(errorFields.map((field) => [field, fields?.[field] ?? ""])) };
}

function reply(response: ServerResponse, status: number, body: unknown): void {
  const bytes = Buffer.from(JSON.stringify(body));
  response.writeHead(status, { "content-type": "application/json", "content-length": bytes.length });
  response.end(bytes);
}
