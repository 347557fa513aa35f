/** A server that webhooks are sent to: keeps what it was sent, answers as the test says. */
import { createServer, type IncomingHttpHeaders } from "node:http";
import type { AddressInfo } from "node:net";

export interface Received {
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
  /** The text as JSON. */
  readonly event: {
    readonly id: string;
    readonly type: string;
    readonly data?: unknown;
    readonly subject?: string;
  };
}

export interface Receiver {
  readonly url: string;
  readonly received: readonly Received[];
  /** The status of the answer, or all of it; a rejection breaks the connection. */
  onEvent: (received: Received) => number | Answer | Promise<number | Answer>;
  reset(): void;
  stop(): Promise<void>;
}

export interface Answer {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

export async function startReceiver(): Promise<Receiver> {
  const received: Received[] = [];
  const server = createServer(async (request, response) => {
    try {
      const chunks: Buffer[] = [];
      for await (const chunk of request) chunks.push(chunk as Buffer);
      const text = Buffer.concat(chunks).toString();
      const one = {
        path: request.url ?? "",
        headers: request.headers,
        text,
        event: JSON.parse(text || "{}"),
      };
      received.push(one);
      const given = await receiver.onEvent(one);
      const { status, headers = {}, body = "" } = typeof given === "number" ? { status: given } : given;
      response.writeHead(status, headers).end(body);
    } catch (error) {
      response.destroy(error as Error);
    }
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const receiver: Receiver = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    received,
    onEvent: () => 204,
    reset() {
      received.length = 0;
      receiver.onEvent = () => 204;
    },
    async stop() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
  return receiver;
}
