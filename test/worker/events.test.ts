/** Events from a workflow in workerd to a webhook, in the order of their run, whatever fails on the way. */
import { createHmac } from "node:crypto";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { only } from "../storage/support/builders.ts";
import { type Receiver, startReceiver } from "../support/receiver.ts";
import { eventually, gate } from "../support/waiting.ts";
import { createWorld, type World } from "../support/world.ts";

const SECRETS = ["a new secret of thirty-two bytes", "an old secret of 32 bytes so far"].map(
  (secret) => `whsec_${Buffer.from(secret).toString("base64")}`,
);
const HOUR = 3_600_000;

let world: World;
let receiver: Receiver;

beforeAll(async () => {
  receiver = await startReceiver();
  const url = `${receiver.url}/hook`;
  const sinks = [
    { name: "hours", type: "webhook", url, secrets: SECRETS, types: ["hour.*", "booking.*"], attempts: 3 },
    {
      name: "others",
      type: "webhook",
      url: `${receiver.url}/others`,
      secrets: SECRETS,
      types: ["nothing.like.it"],
    },
  ];
  world = await createWorld({ PAWL_EVENT_SINKS: JSON.stringify(sinks) });
});
afterEach(async () => {
  receiver.reset();
  await world.database.rows("truncate pawl.outbox, pawl.outbox_sends");
  await world.settle();
});
afterAll(async () => {
  await world?.stop();
  await receiver?.stop();
});

const data = () => receiver.received.map(({ event }) => (event.data as { n: number }).n);
const received = (count: number) =>
  eventually(`${count} events are received`, () => receiver.received.length >= count);
const statuses = async () =>
  (await world.database.rows<{ status: string }>("select status from pawl.outbox_sends order by seq")).map(
    ({ status }) => status,
  );
const allAre = (status: string) =>
  eventually(`all are ${status}`, async () => (await statuses()).every((each) => each === status));

test("an event is a CloudEvent, sent at once, signed with every secret as Standard Webhooks has it", async () => {
  const id = await world.start("crier", { count: 1 });
  await world.reaches(id, "completed");
  await received(1);
  const { headers, text, path } = only(receiver.received);
  expect(path).toBe("/hook");
  expect(JSON.parse(text)).toEqual({
    specversion: "1.0",
    id: `${id}/cry`,
    source: `/pawl/crier/${id}`,
    type: "hour.struck",
    subject: "hour 1",
    time: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/),
    datacontenttype: "application/json",
    data: { n: 1 },
    pawlrunid: id,
    pawltenant: "default",
  });
  expect(headers["content-type"]).toBe("application/cloudevents+json");
  expect(headers["webhook-id"]).toMatch(/^[A-Za-z0-9_-]+$/);
  const signed = `${headers["webhook-id"]}.${headers["webhook-timestamp"]}.${text}`;
  const signatures = SECRETS.map((secret) => {
    const key = Buffer.from(secret.slice("whsec_".length), "base64");
    return `v1,${createHmac("sha256", key).update(signed).digest("base64")}`;
  });
  expect(headers["webhook-signature"]).toBe(signatures.join(" "));
});

test("an event of a transaction goes out at once as well", async () => {
  await world.database.rows("create table bookings (run_id text not null, attempt int not null)");
  const id = await world.start("bookkeeper", {});
  await received(1);
  expect(only(receiver.received).event).toMatchObject({ id: `${id}/book/1`, data: { attempt: 1 } });
  await world.reaches(id, "completed");
});

test("the events of a run arrive in its order, though one is refused on the way", async () => {
  receiver.onEvent = ({ event }) =>
    (event.data as { n: number }).n === 3 && receiver.received.length < 4 ? 500 : 204;
  const id = await world.start("crier", { count: 8 });
  await world.reaches(id, "completed");
  await received(3);
  await eventually(
    "the third is to be tried again",
    async () =>
      (await world.database.rows("select from pawl.outbox_sends where last_error like '%500%'")).length === 1,
  );
  await world.database.moveClock(HOUR);
  await world.worker.tick();
  await received(9);
  expect(data()).toEqual([1, 2, 3, 3, 4, 5, 6, 7, 8]);
  expect(receiver.received[2]?.text).toBe(receiver.received[3]?.text);
  expect(receiver.received[2]?.headers["webhook-id"]).toBe(receiver.received[3]?.headers["webhook-id"]);
  await allAre("sent");
});

test("a try that fails is followed by another without a tick", async () => {
  receiver.onEvent = () => (receiver.received.length === 1 ? 503 : 204);
  const id = await world.start("crier", { count: 1 });
  await world.reaches(id, "completed");
  await eventually("another try is asked for", () =>
    world.broker.sent.some(
      ({ delaySeconds, body }) => delaySeconds === 1 && (body as { only?: string }).only === "events",
    ),
  );
  await world.database.moveClock(1_000);
  world.broker.hurry();
  await received(2);
  await allAre("sent");
});

test("an event that is refused as often as it may be is dead, holds up nothing, and goes out when a person says so", async () => {
  receiver.onEvent = ({ event }) =>
    (event.data as { n: number }).n === 1 ? { status: 410, body: "nobody lives here" } : 204;
  const id = await world.start("crier", { count: 2 });
  await world.reaches(id, "completed");
  await eventually("it is dead", async () => {
    await world.database.moveClock(HOUR);
    await world.worker.tick();
    return (await statuses())[0] === "dead";
  });
  await eventually("the second is sent", async () => (await statuses())[1] === "sent");
  expect(data()).toEqual([1, 1, 1, 2]);
  const { body } = await world.worker.get("/api/events?status=dead");
  expect(body).toMatchObject({
    events: [
      {
        id: `${id}/cry`,
        runId: id,
        type: "hour.struck",
        sends: [
          {
            sink: "hours",
            status: "dead",
            attempts: 3,
            lastError: expect.stringContaining("410: nobody lives here"),
          },
        ],
      },
    ],
    nextCursor: null,
  });
  receiver.onEvent = () => 200;
  const path = `/api/events/${encodeURIComponent(`${id}/cry`)}/redeliver`;
  expect(await world.worker.post(path)).toMatchObject({ status: 200, body: { id: `${id}/cry` } });
  await received(5);
  await allAre("sent");
  expect(await world.worker.post(path)).toMatchObject({
    status: 409,
    body: { error: { code: "event_not_dead" } },
  });
  const unknown = await world.worker.post("/api/events/nothing/redeliver");
  expect(unknown).toMatchObject({ status: 404, body: { error: { code: "event_not_found" } } });
});

test("a redirect is not followed", async () => {
  receiver.onEvent = ({ path }) =>
    path === "/hook" ? { status: 302, headers: { location: `${receiver.url}/elsewhere` } } : 204;
  const id = await world.start("crier", { count: 1 });
  await world.reaches(id, "completed");
  await eventually(
    "it is refused",
    async () =>
      (await world.database.rows("select from pawl.outbox_sends where last_error like '%302%'")).length === 1,
  );
  expect(receiver.received.map(({ path }) => path)).toEqual(["/hook"]);
});

test("an answer without end is not waited for", async () => {
  const endless = { status: 500, body: "x".repeat(5_000_000) };
  receiver.onEvent = () => endless;
  const id = await world.start("crier", { count: 1 });
  await world.reaches(id, "completed");
  const kept = await eventually("it is refused", async () => {
    const [row] = await world.database.rows<{ last_error: string | null }>(
      "select last_error from pawl.outbox_sends",
    );
    return row?.last_error ?? undefined;
  });
  expect(kept.length).toBeLessThan(1_000);
});

test("a run goes on while its webhook does not answer", async () => {
  const held = gate<unknown>();
  receiver.onEvent = async (event) => {
    await held.pass(event);
    return 204;
  };
  const id = await world.start("crier", { count: 3, apart: true });
  await world.reaches(id, "completed");
  await held.reached;
  expect(data()).toEqual([1]);
  held.open();
  await received(1);
  await world.database.moveClock(HOUR);
  await world.worker.tick();
  await eventually("all are received", () => new Set(data()).size === 3);
  expect([...new Set(data())]).toEqual([1, 2, 3]);
});

test("killed while it sends, an event goes out again", async () => {
  receiver.onEvent = () => {
    if (receiver.received.length === 1) world.worker.kill();
    return 204;
  };
  const id = await world.start("crier", { count: 2 });
  await received(1);
  await world.worker.restart();
  await world.expireLeases();
  await world.reaches(id, "completed");
  await eventually("all are sent", async () => {
    await world.database.moveClock(HOUR);
    await world.worker.tick();
    return (await statuses()).length === 2 && (await statuses()).every((each) => each === "sent");
  });
  expect(data()).toEqual([1, 1, 2]);
});

test("an event whose delivery nobody was asked for goes out with the tick", async () => {
  world.broker.deliveries = (body) => ((body as { only?: string }).only === "events" ? 0 : 1);
  const id = await world.start("crier", { count: 1 });
  await world.reaches(id, "completed");
  await world.worker.tick();
  await received(1);
});
