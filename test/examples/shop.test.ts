import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { Effect } from "../../examples/shop/effects.ts";
import { type Shop, startShop } from "../../examples/shop/server.ts";
import { parseCsv } from "../../src/workflows/csv.ts";

const charge = { orderId: "order-1", email: "ada@analytical.example", amount: 4200 };

let shop: Shop;
beforeEach(async () => {
  shop = await startShop();
});
afterEach(() => shop.stop());

async function send(method: string, path: string, body?: unknown, key?: string) {
  const response = await fetch(shop.url + path, {
    method,
    headers: key === undefined ? {} : { "Idempotency-Key": key },
    body: body === undefined ? null : JSON.stringify(body),
  });
  const answer = (await response.json()) as { id?: string; error?: string };
  return { status: response.status, headers: response.headers, body: answer };
}

const post = (path: string, body: unknown, key?: string) => send("POST", path, body, key);
const ledger = async () => (await (await fetch(`${shop.url}/ledger`)).json()) as Effect[];

describe("idempotency", () => {
  test("the same key with the same request gives the same object and one effect", async () => {
    const first = await post("/charges", charge, "k1");
    const { email, ...rest } = charge;
    const again = await post("/charges", { email, ...rest }, "k1");
    expect([first.status, again.status]).toEqual([201, 200]);
    expect(again.body).toEqual(first.body);
    expect(await ledger()).toEqual([
      { ...first.body, kind: "charges", idempotencyKey: "k1", asked: 2, body: charge },
    ]);
  });

  test("the same key with another request is refused", async () => {
    await post("/charges", charge, "k1");
    const other = await post("/charges", { ...charge, amount: 1 }, "k1");
    expect(other.status).toBe(409);
    expect(await ledger()).toHaveLength(1);
  });

  test("the same key asked at the same time makes one effect", async () => {
    const answers = await Promise.all(Array.from({ length: 20 }, () => post("/charges", charge, "k1")));
    expect(new Set(answers.map((answer) => answer.body.id)).size).toBe(1);
    expect((await ledger()).map((effect) => effect.asked)).toEqual([20]);
  });

  test("a key belongs to one kind of effect", async () => {
    await post("/charges", charge, "k1");
    const message = await post("/messages", { to: charge.email, text: "Thank you" }, "k1");
    expect(message.status).toBe(201);
    expect((await ledger()).map((effect) => effect.asked)).toEqual([1, 1]);
  });

  test("without a key every request is an effect of its own", async () => {
    await post("/charges", charge);
    await post("/charges", charge);
    expect((await ledger()).map(({ idempotencyKey, asked }) => ({ idempotencyKey, asked }))).toEqual([
      { idempotencyKey: null, asked: 1 },
      { idempotencyKey: null, asked: 1 },
    ]);
  });
});

describe("refusals", () => {
  test("a charge above the card's limit is declined, and no effect happens", async () => {
    const answer = await post("/charges", { ...charge, amount: 1_000_001 }, "k1");
    expect(answer).toMatchObject({ status: 422, body: { error: "The card was declined." } });
    expect(await ledger()).toEqual([]);
  });

  test("an article that is sold out cannot be reserved", async () => {
    const lines = [{ sku: "SOLD-OUT", quantity: 1 }];
    expect(await post("/reservations", { orderId: "order-1", lines }, "k1")).toMatchObject({ status: 422 });
  });

  test.each([
    ["a negative amount", "/charges", JSON.stringify({ ...charge, amount: -1 }), 400],
    ["an empty reservation", "/reservations", JSON.stringify({ orderId: "order-1", lines: [] }), 400],
    ["a body that is not JSON", "/charges", "{", 400],
    ["a body that is too large", "/charges", "x".repeat(200_000), 413],
    ["a path it does not have", "/refunds", "{}", 404],
    ["a path that every object has", "/constructor", "{}", 404],
  ])("refuses %s", async (_, path, body, status) => {
    const response = await fetch(shop.url + path, { method: "POST", body });
    expect(response.status).toBe(status);
  });
});

describe("failures that are switched on", () => {
  test("hit as many requests as they were told to, and nothing else", async () => {
    await send("PUT", "/failures", { charges: { status: 503, times: 2 } });
    expect(await post("/messages", { to: charge.email, text: "Hello" })).toMatchObject({ status: 201 });
    const statuses = [];
    for (let n = 0; n < 3; n++) statuses.push((await post("/charges", charge, "k1")).status);
    expect(statuses).toEqual([503, 503, 201]);
    expect((await ledger()).map(({ kind, asked }) => [kind, asked])).toEqual([
      ["messages", 1],
      ["charges", 3],
    ]);
  });

  test("last until they are switched off", async () => {
    await send("PUT", "/failures", { charges: { status: 422 } });
    for (let n = 0; n < 3; n++) expect((await post("/charges", charge, "k1")).status).toBe(422);
    await send("DELETE", "/failures");
    expect((await post("/charges", charge, "k1")).status).toBe(201);
  });

  test("say when to come again", async () => {
    await send("PUT", "/failures", { charges: { status: 429, retryAfter: 7 } });
    const answer = await post("/charges", charge, "k1");
    expect([answer.status, answer.headers.get("Retry-After")]).toEqual([429, "7"]);
  });

  test("can lose the answer to an effect that happened", async () => {
    await send("PUT", "/failures", { charges: { loseAnswer: true, times: 1 } });
    await expect(post("/charges", charge, "k1")).rejects.toThrow("fetch failed");
    const [effect] = await ledger();
    expect(await post("/charges", charge, "k1")).toMatchObject({ status: 200, body: { id: effect?.id } });
    expect((await ledger()).map((entry) => entry.asked)).toEqual([2]);
  });

  test("can answer late, long after the effect happened, and do not hold up the shop's end", async () => {
    await send("PUT", "/failures", { charges: { delayMs: 600_000 } });
    const late = post("/charges", charge, "k1").catch((error: Error) => error.message);
    await expect.poll(ledger).toHaveLength(1);
    await shop.stop();
    expect(await late).toBe("fetch failed");
  });

  test("answer who is being delayed once they are switched off", async () => {
    await send("PUT", "/failures", { charges: { delayMs: 600_000 } });
    const late = post("/charges", charge, "k1");
    await expect.poll(ledger).toHaveLength(1);
    await send("DELETE", "/failures");
    expect((await late).status).toBe(201);
  });

  test.each([
    ["an unknown name", { refunds: { status: 503 } }],
    ["an unknown setting", { charges: { code: 503 } }],
    ["a status that is no failure", { charges: { status: 200 } }],
  ])("refuse %s", async (_, failures) => {
    expect((await send("PUT", "/failures", failures)).status).toBe(400);
  });
});

describe("the feed", () => {
  async function readFeed() {
    const pages: Record<string, string>[][] = [];
    let url: string | undefined = `${shop.url}/feed/orders.csv?page=1`;
    while (url !== undefined) {
      const response: Response = await fetch(url);
      expect(response.headers.get("Content-Type")).toBe("text/csv; charset=utf-8");
      pages.push(parseCsv(await response.text()));
      const next = /<(.*)>; rel="next"/.exec(response.headers.get("Link") ?? "")?.[1];
      url = next && new URL(next, url).href;
    }
    return pages;
  }

  test("its pages add up to 500 different orders, 50 to a page", async () => {
    const pages = await readFeed();
    expect(pages.map((page) => page.length)).toEqual(Array(10).fill(50));
    expect(new Set(pages.flat().map((order) => order.order_id)).size).toBe(500);
  });

  test("holds what breaks a careless reader: commas, quotes and line breaks", async () => {
    const orders = (await readFeed()).flat();
    const customers = new Set(orders.map((order) => order.customer));
    expect(customers).toContain('Smith, John "Jack", Jr.');
    expect(customers).toContain("王小明");
    expect(orders.map((order) => order.note)).toContain("Ring twice\nthen leave at the door");
    expect(orders.every((order) => Number(order.quantity) > 0 && Number(order.unit_price) >= 0)).toBe(true);
  });

  test("is the same every time", async () => {
    expect(await readFeed()).toEqual(await readFeed());
  });

  test.each(["0", "11", "1.5", "x"])("has no page %s", async (page) => {
    expect(await send("GET", `/feed/orders.csv?page=${page}`)).toMatchObject({ status: 404 });
  });

  test("fails when told to", async () => {
    await send("PUT", "/failures", { feed: { status: 503, times: 1 } });
    expect((await fetch(`${shop.url}/feed/orders.csv`)).status).toBe(503);
    expect((await fetch(`${shop.url}/feed/orders.csv`)).status).toBe(200);
  });
});
