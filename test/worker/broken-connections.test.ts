/** Clients that stop half-way, hang up or ask again: what they started is there once, or not at all (K2, I9). */
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { type Client, dial, exchange, posting, requestText } from "../support/raw-http.ts";
import { eventually, gate } from "../support/waiting.ts";
import { TOKEN } from "../support/worker.ts";
import { createWorld, type World } from "../support/world.ts";

let world: World;

beforeAll(async () => {
  world = await createWorld();
});
afterEach(() => world.settle());
afterAll(() => world?.stop());

const PATH = "/api/workflows/count/runs";
const AUTHORIZED = `Authorization: Bearer ${TOKEN}`;
const GRACE_MS = 15_000;

const startText = (key: string, steps = 1) =>
  requestText(
    `POST ${PATH}`,
    ...posting(JSON.stringify({ input: { steps } }), [AUTHORIZED, `Idempotency-Key: ${key}`]),
  );
const ids = async () =>
  (await world.database.rows<{ id: string }>("select id from pawl.runs")).map(({ id }) => id);

/** Whatever has become of its wake-up, the run of that key is done, and there is no other. */
async function expectOneRunDone(effects: number): Promise<void> {
  const [id = "", ...others] = await ids();
  expect(others).toEqual([]);
  await world.database.moveClock(GRACE_MS + 1);
  await world.worker.tick();
  await world.reaches(id, "completed");
  expect(world.ledger.of(id)).toHaveLength(effects);
}

describe("a body that stops half-way", () => {
  const half = '{"input":{"steps":';

  /** Clients whose bodies the worker has begun to read. */
  async function slow(count: number): Promise<Client[]> {
    const headers = [
      "Content-Type: application/json",
      "Content-Length: 100",
      "Expect: 100-continue",
      AUTHORIZED,
    ];
    const clients = await Promise.all(Array.from({ length: count }, () => dial(world.worker.url)));
    for (const client of clients) client.write(requestText(`POST ${PATH}`, headers));
    await eventually("the worker reads every body", () =>
      clients.every(({ received }) => received.startsWith("HTTP/1.1 100")),
    );
    for (const client of clients) client.write(half);
    return clients;
  }

  test("holds up nobody, and starts nothing when its client hangs up", async () => {
    const clients = await slow(50);
    expect((await world.worker.fetch("/healthz")).status).toBe(200);
    const id = await world.start("count", { steps: 1 });
    await world.reaches(id, "completed");
    for (const client of clients) client.hangUp();
    await Promise.all(clients.map(({ answer }) => answer));
    expect(await ids()).toEqual([id]);
  });

  test("is not taken for a whole one when its client says that nothing more follows", async () => {
    const clients = await slow(10);
    for (const client of clients) client.finish();
    for (const { statuses } of await Promise.all(clients.map(({ answer }) => answer))) {
      expect(statuses.filter((status) => status !== 100 && status !== 400)).toEqual([]);
    }
    expect(await ids()).toEqual([]);
  });
});

describe("a client that hangs up before the answer, and asks again with its key", () => {
  test.each(["before", "after"] as const)("has one run, when it was gone %s it was stored", async (when) => {
    const held = gate<null>();
    const { injected } = world.gateway.inject({
      on: "start",
      when,
      act: async () => {
        await held.pass(null);
        return undefined;
      },
    });
    const client = await dial(world.worker.url);
    client.write(startText("again", 2));
    await injected;
    client.hangUp();
    await client.answer;
    held.open();
    await eventually("the first start is over", () => world.gateway.count("start") === 1);
    const { statuses } = await exchange(world.worker.url, startText("again", 2));
    expect(statuses).toEqual([200]);
    await expectOneRunDone(2);
  });

  test("has one run, when it reads no more than the beginning of the answer", async () => {
    const client = await dial(world.worker.url);
    client.write(startText("again"));
    await eventually("the answer begins", () => client.received.startsWith("HTTP/1.1 201"));
    client.hangUp();
    expect((await exchange(world.worker.url, startText("again"))).statuses).toEqual([200]);
    await expectOneRunDone(1);
  });
});

test("fifty starts at once with one key, of which every other client hangs up, are one run", async () => {
  const clients = await Promise.all(Array.from({ length: 50 }, () => dial(world.worker.url)));
  for (const client of clients) client.write(startText("crowd", 3));
  const [leaving, staying] = [clients.filter((_, i) => i % 2 === 0), clients.filter((_, i) => i % 2 === 1)];
  for (const client of leaving) client.hangUp();
  const answers = await Promise.all(staying.map(({ answer }) => answer));
  const statuses = answers.flatMap(({ statuses }) => statuses);
  expect(statuses).toHaveLength(25);
  expect(statuses.filter((status) => status !== 200 && status !== 201)).toEqual([]);
  expect(statuses.filter((status) => status === 201).length).toBeLessThanOrEqual(1);
  await expectOneRunDone(3);
});

test("a hook that is posted to again after its answer was lost was received once", async () => {
  const id = await world.start("callee", { expires: "1 hour" });
  await world.reaches(id, "waiting");
  world.broker.pause();
  const [told] = world.ledger.of(id);
  const text = requestText(`POST ${told?.step}`, ...posting('{"paid":true}'));
  const client = await dial(world.worker.url);
  const { injected } = world.gateway.inject({ on: "hook", when: "after", act: () => "cut" });
  client.write(text);
  await injected;
  client.hangUp();
  const again = await exchange(world.worker.url, text);
  expect(again.statuses).toEqual([409]);
  expect(await world.database.rows("select from pawl.deliveries")).toHaveLength(1);
  world.broker.resume();
  await world.database.moveClock(GRACE_MS + 1);
  await world.worker.tick();
  expect((await world.reaches(id, "completed")).output).toEqual({ got: { paid: true } });
});
