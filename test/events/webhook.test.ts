import { createHmac } from "node:crypto";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import type { OutgoingEvent } from "../../src/engine/event.ts";
import { createWebhook, readSecret } from "../../src/events/webhook.ts";
import { only } from "../storage/support/builders.ts";
import { type Receiver, startReceiver } from "../support/receiver.ts";

let receiver: Receiver;
beforeAll(async () => {
  receiver = await startReceiver();
});
afterEach(() => receiver.reset());
afterAll(() => receiver.stop());

const KEY = Buffer.from("the bytes of a secret, 32 of them");
const secret = `whsec_${KEY.toString("base64")}`;

function send(fields: Partial<OutgoingEvent> = {}): Promise<void> {
  const event: OutgoingEvent = {
    tenant: "default",
    runId: "run",
    id: "run/a.b/1",
    workflow: "ship",
    type: "order.shipped",
    subject: null,
    data: undefined,
    emittedAt: 0,
    ...fields,
  };
  const key = readSecret(secret);
  return createWebhook(receiver.url, key === null ? [] : [key])(event);
}

test("what is signed is the id, the timestamp and the body, as the bytes that are sent", async () => {
  await send({ data: { name: "Zoë", list: [1, 2.5, null] } });
  const { headers, text } = only(receiver.received);
  const signed = `${headers["webhook-id"]}.${headers["webhook-timestamp"]}.${text}`;
  const signature = createHmac("sha256", KEY).update(signed).digest("base64");
  expect(headers["webhook-signature"]).toBe(`v1,${signature}`);
  expect(Math.abs(Date.now() / 1_000 - Number(headers["webhook-timestamp"]))).toBeLessThan(300);
});

test("an event has one id, without a dot, however often it is sent, and another tenant's has another", async () => {
  await send();
  await send();
  await send({ tenant: "somebody" });
  await send({ id: "run/a.b/2" });
  const ids = receiver.received.map(({ headers }) => headers["webhook-id"]);
  expect(ids[0]).toBe(ids[1]);
  expect(new Set(ids).size).toBe(3);
  for (const id of ids) expect(id).toMatch(/^[\w-]{20,64}$/);
});

test("an event without data says nothing of data", async () => {
  await send();
  await send({ data: null });
  const [bare, nothing] = receiver.received.map(({ event }) => Object.keys(event));
  expect(bare).not.toContain("data");
  expect(bare).not.toContain("datacontenttype");
  expect(nothing).toContain("data");
});

test.each([200, 201, 204, 299])("an answer of %i is a success", async (status) => {
  receiver.onEvent = () => status;
  await send();
});

test.each([302, 307, 400, 404, 410, 429, 500, 503])(
  "an answer of %i is a failure, and says why",
  async (status) => {
    receiver.onEvent = () => ({ status, body: "the reason", headers: { location: "/elsewhere" } });
    await expect(send()).rejects.toThrow(
      status < 400 ? `${status}: a redirect, which is not followed` : `${status}: the reason`,
    );
    expect(receiver.received).toHaveLength(1);
  },
);

test("of a long answer only the beginning is kept", async () => {
  receiver.onEvent = () => ({ status: 500, body: "y".repeat(1_000_000) });
  const error = await send().catch((thrown: Error) => thrown);
  expect((error as Error).message.length).toBeLessThan(600);
});

test("a connection that breaks is a failure", async () => {
  receiver.onEvent = () => Promise.reject(new Error("broken"));
  await expect(send()).rejects.toThrow();
});
