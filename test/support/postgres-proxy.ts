/** Stands before Postgres and reads along, so that a test can break a connection at the very commit. */

import type { AddressInfo } from "node:net";
import { connect, createServer, type Socket } from "node:net";
import { setTimeout as pause } from "node:timers/promises";

/** `cut before`: Postgres never sees the commit. `cut after`: it has committed, and nobody is told. */
export type CommitFate = "pass" | "cut before" | "cut after";

/** How bytes travel, in both directions. */
export interface Pace {
  /** They arrive in pieces of at most so many. */
  readonly piece: number;
  /** Waited for before each piece. */
  readonly delayMs: () => number;
}

export interface PostgresProxy {
  /** The same database, reached through here. */
  readonly url: string;
  /** How many commits of interactive transactions it has seen. */
  readonly commits: number;
  /** Asked at each. */
  onCommit: () => CommitFate | Promise<CommitFate>;
  /** Undefined passes everything on as it comes. */
  pace: Pace | undefined;
  /** How many pieces were held back. */
  readonly delayed: number;
  /** False refuses new connections. */
  accepts: boolean;
  stop(): Promise<void>;
}

/** The driver's own transactions say it in lower case; the gateway's batches in upper case. */
const COMMIT = "commit\0";

export async function startPostgresProxy(url: string): Promise<PostgresProxy> {
  const target = new URL(url);
  const sockets = new Set<Socket>();
  let commits = 0;
  let delayed = 0;

  const deliver = async (to: Socket, data: Buffer) => {
    const { pace } = proxy;
    if (pace === undefined) return void to.write(data);
    for (let at = 0; at < data.length; at += pace.piece) {
      await pause(pace.delayMs());
      delayed += 1;
      to.write(data.subarray(at, at + pace.piece));
    }
  };

  const carry = (client: Socket) => {
    if (!proxy.accepts) return client.destroy();
    const server = connect({ host: target.hostname, port: Number(target.port) });
    const both = [client, server];
    const cut = () => {
      for (const socket of both) socket.destroy();
    };
    let cutsAnswer = false;
    let before = Promise.resolve();
    let answered = Promise.resolve();
    client.on("data", (data) => {
      before = before.then(async () => {
        if (data.includes(COMMIT)) {
          commits += 1;
          const fate = await proxy.onCommit();
          if (fate === "cut before") return cut();
          cutsAnswer = fate === "cut after";
        }
        await deliver(server, data);
      });
    });
    server.on("data", (data) => {
      if (cutsAnswer) return cut();
      answered = answered.then(() => deliver(client, data));
    });
    for (const socket of both) {
      sockets.add(socket);
      socket.on("error", cut);
      socket.on("close", () => {
        sockets.delete(socket);
        cut();
      });
    }
  };

  const listener = createServer(carry);
  await new Promise<void>((resolve) => listener.listen(0, "127.0.0.1", resolve));
  const through = new URL(url);
  through.hostname = "127.0.0.1";
  through.port = String((listener.address() as AddressInfo).port);
  const proxy: PostgresProxy = {
    url: through.href,
    get commits() {
      return commits;
    },
    get delayed() {
      return delayed;
    },
    onCommit: () => "pass",
    pace: undefined,
    accepts: true,
    async stop() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => listener.close(resolve));
    },
  };
  return proxy;
}
