/** Every example runs in workerd against the shop, and does what its row in `examples/README.md` says. */
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import type { Effect } from "../../examples/shop/effects.ts";
import { type Shop, startShop } from "../../examples/shop/server.ts";
import { type Receiver, startReceiver } from "../support/receiver.ts";
import { eventually } from "../support/waiting.ts";
import { createWorld, type World } from "../support/world.ts";

const SECRET = `whsec_${Buffer.from("a secret of some thirty-two bytes").toString("base64")}`;
const MINUTE = 60_000;
const DAY = 86_400_000;
const ada = { orderId: "1001", email: "ada@example.com" };

let shop: Shop;
let receiver: Receiver;
let world: World;

beforeAll(async () => {
  shop = await startShop();
  receiver = await startReceiver();
  const sinks = [{ name: "stock", type: "webhook", url: `${receiver.url}/stock`, secrets: [SECRET] }];
  const vars = { SHOP_URL: shop.url, PAWL_EVENT_SINKS: JSON.stringify(sinks) };
  world = await createWorld(vars, undefined, "test/examples/fixture.ts");
  await world.database.rows("create table stock (sku text primary key, pieces int not null)");
  await world.database.rows("create table sales (run_id text, sku text, quantity int)");
});
afterEach(async () => {
  await fetch(`${shop.url}/failures`, { method: "DELETE" });
  receiver.reset();
  await world.settle();
});
afterAll(async () => {
  await world?.stop();
  await receiver?.stop();
  await shop?.stop();
});

/** What the shop did for a run, in the order in which it was done. */
async function effects(id: string): Promise<Effect[]> {
  const ledger = (await (await fetch(`${shop.url}/ledger`)).json()) as Effect[];
  return ledger.filter(({ idempotencyKey }) => idempotencyKey?.startsWith(`${id}:`));
}

const texts = async (id: string) =>
  (await effects(id)).flatMap(({ body }) => ("text" in body ? [body.text] : []));

const failures = (switches: object) =>
  fetch(`${shop.url}/failures`, { method: "PUT", body: JSON.stringify(switches) });

const output = async (id: string) => (await world.reaches(id, "completed")).output;
const turns = async (id: string) => (await world.run(id)).turn;

const signal = async (id: string, name: string, payload?: unknown) => {
  const { status } = await world.worker.post(`/api/runs/${id}/signals/${name}`, { payload });
  expect(status).toBe(202);
};

/** Moves the clock, and lets the sweep wake who is due. */
async function later(ms: number): Promise<void> {
  await world.database.moveClock(ms + MINUTE);
  await world.worker.tick();
}

const keys = async (id: string) => (await world.journal(id)).map(({ key }) => key);

describe("steps", () => {
  test("01: a busy shop is tried again, a declined card is not", async () => {
    const charge = { shop: shop.url, ...ada, amount: 4_200 };
    await failures({ charges: { status: 429, retryAfter: 1, times: 2 } });
    const id = await world.start("charge-card", charge);
    expect(await output(id)).toMatchObject({ charged: true, payment: { attempt: 3 } });
    expect((await effects(id)).map(({ asked }) => asked)).toEqual([3]);
    const declined = await world.start("charge-card", { ...charge, amount: 2_000_000 });
    expect(await output(declined)).toMatchObject({ charged: false });
    expect(await keys(declined)).toEqual(["charge card"]);
  });

  test("02: a trial ends and its data goes, though nothing runs in between", async () => {
    const id = await world.start("trial", { shop: shop.url, email: ada.email, seconds: 3_600 });
    for (const sleep of ["trial ends", "grace period"]) {
      await world.waitsFor(id, sleep);
      await later(60 * MINUTE);
    }
    await output(id);
    expect(await texts(id)).toHaveLength(3);
  });

  test("03: an article that is sold out does not stop the others", async () => {
    const lines = ["MUG", "SOLD-OUT", "PEN"].map((sku) => ({ sku, quantity: 1 }));
    const id = await world.start("reserve-basket", { shop: shop.url, orderId: "1001", lines });
    expect(await output(id)).toEqual({
      reserved: [expect.any(String), expect.any(String)],
      missing: ["SOLD-OUT"],
    });
  });

  test("04: two steps run side by side; a race gives up on the slow one without failing it", async () => {
    const order = { ...ada, amount: 4_200, sku: "MUG" };
    const id = await world.start("check-out", order);
    expect(await output(id)).toMatchObject({ receipt: expect.stringMatching(/^msg_/) });
    expect(await turns(id)).toBeLessThanOrEqual(4);
    expect((await effects(id)).map(({ kind }) => kind).sort()).toEqual([
      "charges",
      "messages",
      "reservations",
    ]);
    await failures({ messages: { delayMs: 600_000 } });
    const slow = await world.start("check-out", { ...order, patience: 30 });
    await eventually("the shop is asked", async () => (await effects(slow)).length === 3);
    await later(30_000);
    expect(await output(slow)).toMatchObject({ receipt: "not confirmed" });
  });

  test("05: a map goes on past the items that failed, and names them", async () => {
    const customers = [...Array.from({ length: 30 }, (_, i) => `c${i}@example.com`), "nobody"];
    const id = await world.start("recall-lot", { lot: "L-7", customers });
    expect(await output(id)).toEqual({ warned: 30, missed: ["nobody"], calls: 1 });
    expect(await effects(id)).toHaveLength(31);
  });

  test("06: what was drawn is the same a week later", async () => {
    const id = await world.start("draw-coupon", { email: ada.email });
    await world.waitsFor(id, "coupon ends");
    await later(7 * DAY);
    const { code, percent } = (await output(id)) as { code: string; percent: number };
    const [text] = await texts(id);
    expect(text).toContain(`${code}: ${percent}% until`);
    expect(await keys(id)).toEqual(["now", "random", "uuid", "send coupon", "coupon ends"]);
    // What was drawn is journaled before the customer is told of it.
    expect(await turns(id)).toBe(3);
  });

  test("07: a run that goes past its deadline fails; without one it counts the bytes", async () => {
    const url = `${shop.url}/feed/orders.csv`;
    expect(await output(await world.start("count-feed", { url }))).toMatchObject({
      bytes: expect.any(Number),
    });
    await failures({ feed: { status: 503 } });
    const late = await world.start("count-feed", { url }, { deadline: "30 seconds" });
    await world.reaches(late, "waiting");
    await later(MINUTE);
    expect((await world.reaches(late, "failed")).failure).toMatchObject({ code: "deadline_exceeded" });
  });
});

describe("the world outside", () => {
  const refund = { ...ada, amount: 4_200 };

  test("08: a decision resumes the run; without one in two days it asks somebody else", async () => {
    const id = await world.start("approve-refund", refund);
    await world.waitsFor(id, "decision");
    await later(2 * DAY);
    await world.waitsFor(id, "late decision");
    await signal(id, "decision", { approved: true, by: "grace" });
    expect(await output(id)).toEqual({ approved: true, by: "grace" });
    expect((await texts(id)).at(-1)).toBe("Your money is on its way.");
    expect(await turns(id)).toBe(3);
    const odd = await world.start("approve-refund", refund);
    await signal(odd, "decision", "yes");
    expect((await world.reaches(odd, "failed")).failure).toMatchObject({
      cause: { code: "invalid_payload" },
    });
  });

  test("09: whoever has the link confirms, once", async () => {
    const id = await world.start("confirm-email", { email: ada.email });
    await world.waitsFor(id, "confirmation received");
    const url = /POST (\S+)/.exec((await texts(id))[0] ?? "")?.[1] ?? "";
    const post = () =>
      world.worker.fetch(url, {
        method: "POST",
        headers: { authorization: "", "content-type": "application/json" },
        body: '{"newsletter":true}',
      });
    expect((await post()).status).toBe(202);
    expect(await output(id)).toEqual({ confirmed: true, newsletter: true });
    expect((await post()).status).toBe(404);
  });

  test("10: a payout whose worker died waits for a person, and is not made twice", async () => {
    const id = await world.start("pay-out", refund);
    await failures({ charges: { delayMs: 600_000 } });
    await eventually("the shop is asked", async () => (await effects(id)).length === 1);
    world.worker.kill();
    await failures({});
    await world.worker.restart();
    await world.expireLeases();
    await eventually("a person is asked", async () => {
      const rows = await world.database.rows("select from pawl.waits where run_id = $1 and kind = 'person'", [
        id,
      ]);
      return rows.length === 1;
    });
    const [paid] = await effects(id);
    const path = `/api/runs/${id}/steps/transfer%20money/resolve`;
    expect(await world.worker.post(path, { outcome: "done", output: { id: paid?.id } })).toMatchObject({
      status: 202,
    });
    expect(await output(id)).toEqual({ paid: true, transfer: paid?.id });
    expect((await effects(id)).map(({ asked }) => asked)).toEqual([1]);
  });

  test("12: the stock, the sale and the event agree", async () => {
    await world.database.rows("insert into stock values ('MUG', 3)");
    const sell = async (quantity: number) => {
      const id = await world.start("sell-from-stock", { sku: "MUG", quantity });
      const sold = await output(id);
      expect(await turns(id)).toBe(2);
      return sold;
    };
    expect(await sell(2)).toEqual({ left: 1 });
    expect(await sell(2)).toEqual({ left: null });
    expect(await world.database.rows("select sku, quantity from sales")).toEqual([
      { sku: "MUG", quantity: 2 },
    ]);
    await eventually("both events are received", () => receiver.received.length === 2);
    expect(receiver.received.map(({ event }) => [event.type, event.subject, event.data])).toEqual([
      ["stock.sold", "MUG", { quantity: 2, left: 1 }],
      ["stock.short", "MUG", undefined],
    ]);
  });
});

describe("runs among each other", () => {
  test("11: what was booked is undone, the last first, and the run has failed", async () => {
    const trip = { ...ada, amount: 4_200, extras: ["TENT"] };
    expect(await output(await world.start("book-trip", trip))).toEqual({ booked: 1 });
    const id = await world.start("book-trip", { ...trip, extras: ["TENT", "SOLD-OUT"] });
    expect((await world.reaches(id, "failed")).failure).toMatchObject({ step: "reserve extra[1]" });
    const undone = (await texts(id)).map((text) => text.split(" ")[0]);
    expect(undone.at(-1)).toBe("Refund");
    expect((await keys(id)).slice(-1)).toEqual(["charge card#compensation"]);
  });

  test("13: a child that fails is caught, and one that nobody waits for lives on", async () => {
    const id = await world.start("pack-order", { orderId: "1001", skus: ["MUG", "SOLD-OUT", "PEN"] });
    const {
      packed,
      missing,
      later: again,
    } = (await output(id)) as Record<string, string[]> & { later: string };
    expect(packed).toHaveLength(2);
    expect(missing).toEqual(["SOLD-OUT: failed"]);
    expect((await world.run(again)).status).toBe("ready");
    await later(10 * MINUTE);
    await world.reaches(again, "completed");
  });

  test("14: the state tells how far the run has come", async () => {
    const id = await world.start("take-stock", { email: ada.email, shelves: ["A1", "A2"] });
    await world.waitsFor(id, "counted");
    const state = async (key: string) =>
      ((await world.worker.get(`/api/runs/${id}/state/${key}`)).body as { value: unknown }).value;
    expect(await state("phase")).toBe("waiting for the counts");
    expect(await state("progress")).toEqual({ done: 2, of: 2 });
    expect(await state("log")).toEqual(["A1 is asked for", "A2 is asked for"]);
    await signal(id, "counted");
    await output(id);
    expect(await state("phase")).toBe("done");
  });

  test("15: one signal to a truck reaches all of its parcels", async () => {
    const parcels = ["1001", "1002"].map((orderId) => ({ ...ada, orderId, truck: "7" }));
    const ids = await world.startMany("follow-parcel", parcels);
    for (const id of ids) await world.waitsFor(id, "news");
    const { body } = await world.worker.post("/api/groups/truck%207/signals/news", {
      payload: "an hour late",
    });
    expect(body).toEqual({ signalled: 2 });
    expect(await Promise.all(ids.map(output))).toEqual([
      "Order 1001: an hour late",
      "Order 1002: an hour late",
    ]);
  });

  test("16: every watcher hears of a price, one packer gets a box, the answer finds who asked", async () => {
    const watchers = await world.startMany("watch-price", [
      { sku: "MUG", cents: 500 },
      { sku: "MUG", cents: 900 },
    ]);
    for (const id of watchers) await world.waitsFor(id, "receive prices");
    for (const cents of [800, 450]) {
      await world.worker.post("/api/channels/prices/messages", { payload: { sku: "MUG", cents } });
    }
    expect(await Promise.all(watchers.map(output))).toEqual([
      { bought: true, at: 450 },
      { bought: true, at: 800 },
    ]);
    const packers = await world.startMany("packer", [null, null]);
    for (const id of packers) await world.waitsFor(id, "receive boxes to pack");
    const boxes = ["a", "b", "c", "d"];
    const loaded = (await output(await world.start("load-truck", { boxes }))) as { box: string }[];
    expect(loaded.map(({ box }) => box).sort()).toEqual(boxes);
    for (const id of packers) await world.reaches(id, "waiting");
    await later(60 * MINUTE);
    const counts = (await Promise.all(packers.map(output))) as { packed: number }[];
    expect(counts.reduce((sum, { packed }) => sum + packed, 0)).toBe(4);
  });

  test("17: a watch goes on as another run after its rounds, and remembers", async () => {
    const url = `${shop.url}/feed/orders.csv`;
    const first = await world.start("watch-feed", { url, every: 60, rounds: 2 });
    await world.waitsFor(first, "stop");
    await later(MINUTE);
    await world.waitsFor(first, "stop#2");
    await later(MINUTE);
    await world.reaches(first, "completed");
    const [next] = await world.database.rows<{ id: string }>(
      "select id from pawl.runs where continued_from = $1",
      [first],
    );
    await world.waitsFor(next?.id ?? "", "stop");
    await signal(next?.id ?? "", "stop", true);
    expect(await output(next?.id ?? "")).toEqual({ changes: 1 });
  });

  test("18: a run keeps its version while new ones get the newest", async () => {
    const old = await world.start("welcome", { email: ada.email }, { version: 1 });
    const young = await world.start("welcome", { email: ada.email });
    await world.waitsFor(old, "first week");
    await world.waitsFor(young, "opinion");
    await later(2 * DAY);
    expect(await output(young)).toBe("asked after two days");
    await later(5 * DAY);
    expect(await output(old)).toBe("asked after a week");
  });
});

describe("other ways to write one", () => {
  const order = { ...ada, customer: "Ada", amount: 4_200, sku: "MUG" };

  test("19: a chain takes the case that fits, and undoes its charge when nobody checks", async () => {
    const small = await world.start("order-chain", order);
    await world.waitsFor(small, "cooling off");
    await later(2_000);
    expect(await output(small)).toMatchObject({ size: "small", ship: { id: expect.any(String) } });
    expect(await turns(small)).toBeLessThanOrEqual(4);
    const large = await world.start("order-chain", { ...order, amount: 500_000 });
    await world.waitsFor(large, "checked");
    await later(DAY);
    await later(5_000);
    await later(5_000);
    expect((await world.reaches(large, "failed")).failure).toMatchObject({ step: "ship" });
    expect((await texts(large)).at(-1)).toMatch(/^Refund pay_/);
  });

  test("20: a graph ships once its gate is open, and does what was appended to it", async () => {
    const id = await world.start("custom-order", order);
    await eventually("the gate is closed", async () => {
      const rows = await world.database.rows(
        "select from pawl.waits where run_id = $1 and name = 'finished'",
        [id],
      );
      return rows.length === 1;
    });
    const append = (payload: string) =>
      world.worker.post(
        `/api/runs/${id}/steps`,
        { gate: "finished", steps: [{ name: "half-way", handler: "tell customer", payload }] },
        { "mutation-key": "half-way" },
      );
    expect((await append("The handle is on.")).status).toBe(201);
    expect((await append("The handle is on.")).status).toBe(200);
    expect((await append("Something else.")).status).toBe(409);
    await eventually("the customer is told", async () => (await texts(id)).includes("The handle is on."));
    await signal(id, "finished", "by Grace");
    expect(await output(id)).toMatchObject({
      reserve: { status: "completed" },
      finished: { status: "completed", output: "by Grace" },
      "half-way": { status: "completed" },
      ship: { status: "completed" },
    });
  });
});
