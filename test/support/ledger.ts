/** The outside world: counts the effects that steps have, and can hold, fail or kill at the moment of one. */
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";

export interface Effect {
  readonly runId: string;
  readonly step: string;
  readonly attempt: number;
  readonly idempotencyKey: string;
  /** Names the invocation of the worker that performed it. */
  readonly invocation: string;
}

export interface Ledger {
  readonly url: string;
  readonly effects: readonly Effect[];
  /** Called after the effect is recorded, before the step gets its answer. What it returns is the answer. */
  onEffect: (effect: Effect) => unknown;
  of(runId: string): Effect[];
  /** Forgets everything, cuts off who still waits for an answer, and answers at once again. */
  reset(): void;
  stop(): Promise<void>;
}

export async function startLedger(): Promise<Ledger> {
  const effects: Effect[] = [];
  const server = createServer(async (request, response) => {
    try {
      const chunks: Buffer[] = [];
      for await (const chunk of request) chunks.push(chunk as Buffer);
      const effect = JSON.parse(Buffer.concat(chunks).toString()) as Effect;
      effects.push(effect);
      const answer = await ledger.onEffect(effect);
      response.setHeader("content-type", "application/json");
      response.end(JSON.stringify(answer ?? { ok: true }));
    } catch (error) {
      response.destroy(error as Error);
    }
  });
  // A kept connection that closes while a paused worker comes back to it would fail a step.
  server.keepAliveTimeout = 0;
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const ledger: Ledger = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    effects,
    onEffect: () => {},
    of: (runId) => effects.filter((effect) => effect.runId === runId),
    reset() {
      effects.length = 0;
      ledger.onEffect = () => {};
      server.closeAllConnections();
    },
    async stop() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
  return ledger;
}
