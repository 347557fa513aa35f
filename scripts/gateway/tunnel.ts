/** Carries the bytes of one WebSocket to Postgres' port and back. */
import type { IncomingMessage } from "node:http";
import { connect } from "node:net";
import { createWebSocketStream, type WebSocket } from "ws";

export function tunnel(socket: WebSocket, request: IncomingMessage, upstream: string | undefined): void {
  const target = findTarget(request, upstream);
  if (target === undefined) {
    socket.close(1008, "say where to: /v2?address=host:port");
    return;
  }
  const database = connect({ ...target, noDelay: true });
  const client = createWebSocketStream(socket);
  client.pipe(database).pipe(client);
  client.on("error", () => database.destroy());
  client.on("close", () => database.destroy());
  database.on("error", () => socket.close(1011, "Postgres does not answer"));
}

/** The driver sends `?address=host:port` when the worker's `wsProxy` names them. */
function findTarget(request: IncomingMessage, upstream: string | undefined) {
  const address = new URL(request.url ?? "/", "ws://gateway").searchParams.get("address");
  if (upstream === undefined && address === null) return undefined;
  const { hostname, port } = new URL(upstream ?? `postgres://${address}`);
  return { host: hostname, port: Number(port || 5432) };
}
