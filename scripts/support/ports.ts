import { createServer } from "node:net";

/** A port of 127.0.0.1 that nobody listens on: `wanted` or one of the next hundred, or any at all. */
export async function freePort(wanted = 0): Promise<number> {
  for (let port = wanted; port < wanted + 100; port++) {
    const found = await probe(wanted === 0 ? 0 : port);
    if (found !== undefined) return found;
  }
  throw new Error(`no free port from ${wanted} to ${wanted + 99} on 127.0.0.1`);
}

/** Below the range that the system takes for outgoing connections: still free when a server comes back. */
export function lastingPort(): Promise<number> {
  return freePort(20_000 + Math.floor(Math.random() * 12_000));
}

export async function isFree(port: number): Promise<boolean> {
  return (await probe(port)) !== undefined;
}

function probe(port: number): Promise<number | undefined> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", () => resolve(undefined));
    server.listen(port, "127.0.0.1", () => {
      const address = server.address();
      const found = typeof address === "object" && address !== null ? address.port : undefined;
      server.close(() => resolve(found));
    });
  });
}
