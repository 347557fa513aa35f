/**
 * A queue broker that the test owns: it may lose, double, delay and reorder what it is given. By default it
 * hands every message over once, when its delay is over.
 */
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";

export interface BrokerMessage {
  readonly id: string;
  readonly timestamp: Date;
  readonly attempts: number;
  readonly body: unknown;
}

export interface Broker {
  readonly url: string;
  /** Everything ever sent, in order. */
  readonly sent: readonly { readonly body: unknown; readonly delaySeconds: number }[];
  /** Decides how often each message is handed over: 0 loses it, 2 doubles it. */
  deliveries: (body: unknown) => number;
  /** Called as a message arrives, before the sender gets its answer. */
  onSend: (body: unknown) => void | Promise<void>;
  /** Hands over exactly these now. */
  deliver(bodies: readonly unknown[]): Promise<void>;
  stop(): Promise<void>;
}

const BATCH = 30;

export async function startBroker(consume: (messages: BrokerMessage[]) => Promise<unknown>): Promise<Broker> {
  const waiting: unknown[] = [];
  const timers = new Set<NodeJS.Timeout>();
  const sent: { body: unknown; delaySeconds: number }[] = [];
  let made = 0;
  let stopped = false;
  let pumping = false;

  const toMessage = (body: unknown): BrokerMessage => ({
    id: `message-${++made}`,
    timestamp: new Date(),
    attempts: 1,
    body,
  });

  /** A worker that is killed while it consumes has lost the batch: the sweep is there for that. */
  const pump = async () => {
    if (pumping) return;
    pumping = true;
    while (waiting.length > 0 && !stopped)
      await consume(waiting.splice(0, BATCH).map(toMessage)).catch(() => {});
    pumping = false;
  };

  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const messages = JSON.parse(Buffer.concat(chunks).toString()) as {
      body: unknown;
      delaySeconds?: number;
    }[];
    for (const { body, delaySeconds = 0 } of messages) {
      sent.push({ body, delaySeconds });
      await broker.onSend(body);
      const copies = Array.from({ length: broker.deliveries(body) }, () => body);
      const timer = setTimeout(() => {
        timers.delete(timer);
        waiting.push(...copies);
        void pump();
      }, delaySeconds * 1_000);
      timers.add(timer);
    }
    response.end("ok");
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));

  const broker: Broker = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    sent,
    deliveries: () => 1,
    onSend: () => {},
    async deliver(bodies) {
      await consume(bodies.map(toMessage));
    },
    async stop() {
      stopped = true;
      for (const timer of timers) clearTimeout(timer);
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
  return broker;
}
