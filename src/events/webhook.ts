/** Events as Standard Webhooks (https://www.standardwebhooks.com): signed, so that the receiver knows who sent them. */
import type { EventSink } from "../engine/ports.ts";
import { toCloudEventJson } from "./cloud-event.ts";

const TIMEOUT_MS = 15_000;
/** Of an answer that is no success so much is kept, for whoever looks at the event. */
const KEPT_BYTES = 500;

const PREFIX = "whsec_";

/** The key that a secret stands for; null for what is none. */
export function readSecret(secret: string): Uint8Array<ArrayBuffer> | null {
  if (!secret.startsWith(PREFIX)) return null;
  try {
    const key = Uint8Array.from(atob(secret.slice(PREFIX.length)), (char) => char.charCodeAt(0));
    return key.length >= 24 && key.length <= 64 ? key : null;
  } catch {
    return null;
  }
}

/** Signs with every secret, so that the receiver may move from one to the next. */
export function createWebhook(url: string, secrets: readonly Uint8Array<ArrayBuffer>[]): EventSink["send"] {
  return async (event) => {
    const body = JSON.stringify(toCloudEventJson(event));
    const id = await toWebhookId(`${event.tenant}/${event.id}`);
    const timestamp = String(Math.floor(Date.now() / 1_000));
    const signatures = await Promise.all(secrets.map((key) => sign(key, `${id}.${timestamp}.${body}`)));
    const answer = await fetch(url, {
      method: "POST",
      headers: {
        "content-type": "application/cloudevents+json",
        "webhook-id": id,
        "webhook-timestamp": timestamp,
        "webhook-signature": signatures.map((signature) => `v1,${signature}`).join(" "),
      },
      body,
      // Where a redirect leads nobody has checked.
      redirect: "manual",
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
    if (answer.ok) {
      await answer.body?.cancel();
      return;
    }
    const said = await beginningOf(answer);
    const why = answer.status >= 300 && answer.status < 400 ? "a redirect, which is not followed" : said;
    throw new Error(`The webhook answered ${answer.status}${why === "" ? "" : `: ${why}`}`);
  };
}

/** Event ids hold what a header and the signed text must not: a digest stands for each, the same every time. */
async function toWebhookId(id: string): Promise<string> {
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(id));
  return `evt_${toBase64(digest).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "")}`;
}

async function sign(key: Uint8Array<ArrayBuffer>, text: string): Promise<string> {
  const hmac = { name: "HMAC", hash: "SHA-256" };
  const imported = await crypto.subtle.importKey("raw", key, hmac, false, ["sign"]);
  return toBase64(await crypto.subtle.sign("HMAC", imported, new TextEncoder().encode(text)));
}

function toBase64(bytes: ArrayBuffer): string {
  return btoa(String.fromCharCode(...new Uint8Array(bytes)));
}

/** An answer may be endless: what is not needed is not read. */
async function beginningOf(answer: Response): Promise<string> {
  const reader = answer.body?.getReader();
  if (reader === undefined) return "";
  const decoder = new TextDecoder();
  let text = "";
  try {
    for (let read = 0; read < KEPT_BYTES; ) {
      const { done, value } = await reader.read();
      if (done) break;
      read += value.byteLength;
      text += decoder.decode(value.subarray(0, KEPT_BYTES), { stream: true });
    }
  } catch {
    // It broke off; the status has been said.
  }
  await reader.cancel().catch(() => {});
  return text.slice(0, KEPT_BYTES).trim();
}
