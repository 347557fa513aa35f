// A client for the shop in `examples/shop`. It says of every failure whether another try makes sense.
import { env } from "cloudflare:workers";
import { NonRetryableError, RetryableError, type StepContext } from "pawl";
import * as z from "zod";

const Created = z.object({ id: z.string() });
const Refused = z.object({ error: z.string() });

/** What a step's body is given and passes on: the key makes a repeated call harmless. */
type Call = Pick<StepContext, "idempotencyKey" | "signal">;

/** Asks the shop to do something once; gives the id of what it made. */
export async function postToShop(path: string, body: unknown, { idempotencyKey, signal }: Call) {
  const response = await fetch(new URL(path, shopUrl()), {
    method: "POST",
    headers: { "Content-Type": "application/json", "Idempotency-Key": idempotencyKey },
    body: JSON.stringify(body),
    signal,
  });
  if (!response.ok) throw await errorFrom(response, `POST ${path}`);
  return Created.parse(await response.json());
}

/** The error to throw for an answer that is not a success; anything but a clear "no" may be retried. */
export async function errorFrom(response: Response, request: string): Promise<Error> {
  const message = `${request} answered ${response.status}: ${await reasonIn(response)}`;
  const seconds = Number(response.headers.get("Retry-After"));
  if (seconds > 0) return new RetryableError(message, { retryAfter: { seconds } });
  const isTransient = response.status >= 500 || response.status === 408 || response.status === 429;
  return isTransient ? new Error(message) : new NonRetryableError(message);
}

async function reasonIn(response: Response): Promise<string> {
  const text = await response.text();
  try {
    return Refused.parse(JSON.parse(text)).error;
  } catch {
    return text.slice(0, 300);
  }
}

function shopUrl(): string {
  const { SHOP_URL } = env as { SHOP_URL?: string };
  if (!SHOP_URL) throw new NonRetryableError("SHOP_URL is not set: add the shop's address to .dev.vars.");
  return SHOP_URL;
}
