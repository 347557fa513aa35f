/** A TCP proxy that counts round trips: how often a client speaks again after it has heard an answer. */
import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";

export interface Tap {
  readonly address: string;
  /** Since it stands, over all connections; what is sent before an answer comes is one. */
  roundTrips(): number;
  stop(): Promise<void>;
}

export async function startTap(upstream: string): Promise<Tap> {
  const [host, port] = upstream.split(":");
  let roundTrips = 0;
  const sockets = new Set<Socket>();
  const server = createServer((client) => {
    const far = connect({ host: host ?? "", port: Number(port), noDelay: true });
    client.setNoDelay(true);
    sockets.add(client).add(far);
    let answered = true;
    client.on("data", (bytes) => {
      if (answered) roundTrips += 1;
      answered = false;
      far.write(bytes);
    });
    far.on("data", (bytes) => {
      answered = true;
      client.write(bytes);
    });
    for (const [one, other] of [
      [client, far],
      [far, client],
    ] as const) {
      one.on("end", () => other.end());
      one.on("error", () => other.destroy());
      one.on("close", () => sockets.delete(one));
    }
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    address: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    roundTrips: () => roundTrips,
    async stop() {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, "close");
    },
  };
}

/** The same connection string by another address. */
export function through(url: string, address: string): string {
  const changed = new URL(url);
  changed.host = address;
  return changed.href;
}
