// A small shop that the example workflows call: it charges, reserves, ships and sends messages, each at
// most once per idempotency key, and fails when told to. Everything is in memory.
//
//   npx node examples/shop/server.ts --port 4010
import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import { parseArgs } from "node:util";
import { Effects, isKind } from "./effects.ts";
import { FailureSwitches, failureAnswer } from "./failures.ts";
import { feedPage, PAGES } from "./feed.ts";
import { type Answer, BadRequest, readJson, refusal, send } from "./http.ts";

export type Shop = Readonly<{ url: string; stop(): Promise<void> }>;

/** Starts the shop; port 0, the default, takes a free one. */
export async function startShop({ port = 0, host = "127.0.0.1" } = {}): Promise<Shop> {
  const stopping = new AbortController();
  const answerTo = openShop(stopping.signal);
  const server = createServer(async (request, response) => {
    try {
      const answer = await answerTo(request);
      if (answer) send(response, answer);
      else response.destroy();
    } catch (error) {
      if (error instanceof BadRequest) send(response, error.answer);
      else response.destroy();
    }
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject).listen(port, host, resolve);
  });
  const { port: boundPort } = server.address() as AddressInfo;
  return {
    url: `http://${host}:${boundPort}`,
    stop: () =>
      new Promise((resolve) => {
        stopping.abort();
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

/** The shop without its server: from a request to an answer, or null when the answer is to be lost. */
function openShop(stopping: AbortSignal): (request: IncomingMessage) => Promise<Answer | null> {
  const effects = new Effects();
  const failures = new FailureSwitches();

  async function underFailure(kind: string, work: () => Answer): Promise<Answer | null> {
    const failure = failures.take(kind);
    const answer = failure?.status ? failureAnswer(failure.status, failure.retryAfter) : work();
    if (failure?.delayMs) await failures.delay(failure.delayMs, stopping);
    return failure?.loseAnswer ? null : answer;
  }

  return async (request) => {
    const url = new URL(request.url ?? "/", "http://shop");
    const asked = `${request.method} ${url.pathname}`;
    const kind = url.pathname.slice(1);
    if (request.method === "POST" && isKind(kind)) {
      const body = await readJson(request);
      const key = request.headers["idempotency-key"]?.toString() || null;
      effects.countAsked(kind, key);
      return underFailure(kind, () => effects.perform(kind, key, body));
    }
    switch (asked) {
      case "GET /ledger":
        return { status: 200, body: effects.ledger() };
      case "GET /feed/orders.csv":
        return underFailure("feed", () => feedAnswer(Number(url.searchParams.get("page") ?? 1)));
      case "PUT /failures":
        failures.set(await readJson(request));
        return { status: 200, body: failures.active() };
      case "DELETE /failures":
        failures.clear();
        return { status: 200, body: {} };
      default:
        return refusal(404, `The shop has no ${asked}.`);
    }
  };
}

function feedAnswer(page: number): Answer {
  const body = feedPage(page);
  if (body === null) return refusal(404, "The feed has no such page.");
  const next = `</feed/orders.csv?page=${page + 1}>; rel="next"`;
  return { status: 200, body, headers: page < PAGES ? { Link: next } : {} };
}

if (import.meta.main) {
  const { values } = parseArgs({ options: { port: { type: "string", default: "4010" } } });
  const shop = await startShop({ port: Number(values.port) });
  console.log(`The shop is open at ${shop.url}; what it did: ${shop.url}/ledger`);
}
