/**
 * A queue broker that the test owns: it may lose, double, delay and reorder what it is given, or refuse it.
 * By default it hands every message over once, when its delay is over, and again when nobody settled it.
 */
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";

export interface BrokerMessage {
  readonly id: string;
  readonly timestamp: Date;
  readonly attempts: number;
  readonly body: unknown;
}

/** What workerd says of a batch. */
export interface QueueResult {
  readonly outcome: string;
  readonly ackAll: boolean;
  readonly retryBatch: { readonly retry: boolean };
  readonly explicitAcks: readonly string[];
  readonly retryMessages: readonly { readonly msgId: string; readonly delaySeconds?: number }[];
}

export interface Broker {
  readonly url: string;
  /** Everything ever sent and accepted, in order. */
  readonly sent: readonly { readonly body: unknown; readonly delaySeconds: number }[];
  /** How often a message was to come again: asked for by the consumer, or because the consumer died. */
  readonly retries: number;
  /** Decides how often each message is handed over: 0 loses it, 2 doubles it. */
  deliveries: (body: unknown) => number;
  /** Called as a message arrives, before the sender gets its answer; when it throws, the send fails. */
  onSend: (body: unknown) => void | Promise<void>;
  /** Puts what waits to be handed over in another order. */
  arrange: (waiting: unknown[]) => unknown[];
  /** Hands over exactly these now; says how the consumer settled them. */
  deliver(bodies: readonly unknown[]): Promise<QueueResult>;
  /** Hands over now what is delayed. */
  hurry(): void;
  readonly paused: boolean;
  /** Hands nothing over until `resume`. */
  pause(): void;
  resume(): void;
  /** Loses all it has, what is being consumed too, and behaves well again. */
  reset(): void;
  /** Gives up on the batch that is being consumed: its worker is gone, and its messages come again. */
  abandon(): void;
  stop(): Promise<void>;
}

const BATCH = 30;
/** As in wrangler.toml. */
const MAX_RETRIES = 3;

interface Waiting {
  readonly body: unknown;
  readonly attempts: number;
}

export async function startBroker(
  consume: (messages: BrokerMessage[]) => Promise<QueueResult>,
): Promise<Broker> {
  const waiting: Waiting[] = [];
  const delayed = new Map<NodeJS.Timeout, () => void>();
  const sent: { body: unknown; delaySeconds: number }[] = [];
  let made = 0;
  let retries = 0;
  let paused = false;
  let pumping = false;
  let resets = 0;
  let abandoned = Promise.withResolvers<never>();
  abandoned.promise.catch(() => {});

  const toMessage = ({ body, attempts }: Waiting): BrokerMessage => ({
    id: `message-${++made}`,
    timestamp: new Date(),
    attempts,
    body,
  });

  const pump = async () => {
    if (pumping) return;
    pumping = true;
    while (waiting.length > 0 && !paused) {
      const batch = waiting.splice(0, BATCH).map(toMessage);
      const before = resets;
      // A worker that is killed may leave its consumer without an answer for ever.
      const result = await Promise.race([consume(batch), abandoned.promise]).catch(() => null);
      if (before !== resets) continue;
      if (result !== null) settle(batch, result);
      else for (const message of batch) again(message, 0);
    }
    pumping = false;
  };

  const settle = (batch: readonly BrokerMessage[], { outcome, retryBatch, retryMessages }: QueueResult) => {
    for (const message of batch) {
      const asked = retryMessages.find(({ msgId }) => msgId === message.id);
      if (asked !== undefined) again(message, asked.delaySeconds ?? 0);
      else if (outcome !== "ok" || retryBatch.retry) again(message, 0);
    }
  };

  const again = ({ body, attempts }: BrokerMessage, delaySeconds: number) => {
    retries += 1;
    if (attempts <= MAX_RETRIES) enqueue([{ body, attempts: attempts + 1 }], delaySeconds);
  };

  const enqueue = (messages: readonly Waiting[], delaySeconds: number) => {
    const arrive = () => {
      const all = [...waiting.splice(0), ...messages];
      const bodies = broker.arrange(all.map(({ body }) => body));
      const attempts = new Map(all.map((message) => [message.body, message.attempts]));
      waiting.push(...bodies.map((body) => ({ body, attempts: attempts.get(body) ?? 1 })));
      void pump();
    };
    if (delaySeconds === 0) return arrive();
    const timer = setTimeout(() => {
      delayed.delete(timer);
      arrive();
    }, delaySeconds * 1_000);
    delayed.set(timer, arrive);
  };

  const server = createServer(async (request, response) => {
    try {
      const chunks: Buffer[] = [];
      for await (const chunk of request) chunks.push(chunk as Buffer);
      const messages = JSON.parse(Buffer.concat(chunks).toString()) as {
        body: unknown;
        delaySeconds?: number;
      }[];
      const byDelay = new Map<number, Waiting[]>();
      for (const { body, delaySeconds = 0 } of messages) {
        await broker.onSend(body);
        sent.push({ body, delaySeconds });
        const copies = Array.from({ length: broker.deliveries(body) }, () => ({ body, attempts: 1 }));
        byDelay.set(delaySeconds, [...(byDelay.get(delaySeconds) ?? []), ...copies]);
      }
      response.end("ok");
      for (const [delaySeconds, copies] of byDelay) enqueue(copies, delaySeconds);
    } catch {
      response.writeHead(503).end("refused");
    }
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));

  const clear = () => {
    waiting.length = 0;
    for (const timer of delayed.keys()) clearTimeout(timer);
    delayed.clear();
  };
  const behave = () => ({
    deliveries: () => 1,
    onSend: () => {},
    arrange: (bodies: unknown[]) => bodies,
  });
  const broker: Broker = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    sent,
    get retries() {
      return retries;
    },
    get paused() {
      return paused;
    },
    ...behave(),
    deliver: (bodies) => consume(bodies.map((body) => toMessage({ body, attempts: 1 }))),
    hurry() {
      const arrivals = [...delayed];
      delayed.clear();
      for (const [timer, arrive] of arrivals) {
        clearTimeout(timer);
        arrive();
      }
    },
    pause() {
      paused = true;
    },
    resume() {
      paused = false;
      void pump();
    },
    reset() {
      resets += 1;
      clear();
      sent.length = 0;
      retries = 0;
      Object.assign(broker, behave());
    },
    abandon() {
      abandoned.reject(new Error("The worker is gone."));
      abandoned = Promise.withResolvers<never>();
      abandoned.promise.catch(() => {});
    },
    async stop() {
      paused = true;
      clear();
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
  return broker;
}
