/** What the dashboard asks of the real workerd: sessions, files that are sent while they are read, and bulk actions. */
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { eventually } from "../support/waiting.ts";
import { TOKEN } from "../support/worker.ts";
import { createWorld, type World } from "../support/world.ts";

const READ_TOKEN = "reading-token-0123456789abcdef";
const DAY_MS = 86_400_000;
/** How long a share of a bulk action may take before it counts as lost. */
const SHARE_LEASE_MS = 60_000;

let world: World;
beforeAll(async () => {
  world = await createWorld({ PAWL_READ_TOKEN: READ_TOKEN });
});
afterEach(() => world.settle());
afterAll(() => world?.stop());

/** Without a token of its own. */
const ask = (path: string, init: RequestInit = {}) => fetch(new URL(path, world.worker.url), init);

async function signIn(token: string): Promise<string> {
  const response = await ask("/api/session", {
    method: "POST",
    headers: { "content-type": "application/json", origin: world.worker.url.origin },
    body: JSON.stringify({ token }),
  });
  expect(response.status).toBe(200);
  return (response.headers.get("set-cookie") ?? "").split(";")[0] ?? "";
}

test("a session reads and changes from this deployment's pages, and from no others", async () => {
  const id = await world.start("nap", { ms: DAY_MS });
  const cookie = await signIn(TOKEN);
  expect((await ask("/api/runs", { headers: { cookie } })).status).toBe(200);
  const cancel = (headers: Record<string, string>) =>
    ask(`/api/runs/${id}/cancel`, { method: "POST", headers: { cookie, ...headers } });
  expect((await cancel({})).status).toBe(403);
  expect((await cancel({ origin: "https://evil.example" })).status).toBe(403);
  expect((await cancel({ origin: world.worker.url.origin })).status).toBe(200);
  expect((await ask("/api/runs", { headers: { cookie: `${cookie}x` } })).status).toBe(401);
});

test("a reader's session reads everything and changes nothing", async () => {
  const id = await world.start("nap", { ms: DAY_MS });
  const headers = { cookie: await signIn(READ_TOKEN), origin: world.worker.url.origin };
  for (const path of ["/api/runs", `/api/runs/${id}`, "/api/system", "/api/metrics", "/metrics"]) {
    expect([path, (await ask(path, { headers })).status]).toEqual([path, 200]);
  }
  for (const path of [`/api/runs/${id}/cancel`, "/api/bulk", `/api/runs/${id}/notes`]) {
    expect([path, (await ask(path, { method: "POST", headers })).status]).toEqual([path, 403]);
  }
  expect((await world.run(id)).status).not.toBe("cancelled");
});

test("a session outlives the worker that it was begun with", async () => {
  const cookie = await signIn(TOKEN);
  await world.worker.restart();
  expect((await ask("/api/session", { headers: { cookie } })).status).toBe(200);
});

test("a file of more runs than a page is whole", async () => {
  world.broker.deliveries = () => 0;
  const ids: string[] = [];
  for (let i = 0; i < 5; i++) ids.push(...(await world.startMany("idle", Array(250).fill({ steps: 0 }))));
  const response = await world.worker.fetch("/api/runs/export?format=json");
  const runs = (await response.json()) as { id: string }[];
  expect(runs.map(({ id }) => id).toSorted()).toEqual(ids.toSorted());
  const csv = await (await world.worker.fetch("/api/runs/export?format=csv")).text();
  expect(csv.split("\r\n")).toHaveLength(ids.length + 2);
});

interface Bulk {
  readonly id: string;
  readonly status: string;
  readonly done: number;
  readonly seen: number;
}

async function asleep(count: number): Promise<string[]> {
  const ids = await world.startMany("nap", Array(count).fill({ ms: DAY_MS }));
  await world.allReach(ids, "waiting");
  return ids;
}

async function begin(body: object): Promise<string> {
  const { status, body: bulk } = await world.worker.post("/api/bulk", body);
  expect(status).toBe(201);
  return (bulk as Bulk).id;
}
const see = async (id: string) => (await world.worker.get(`/api/bulk/${id}`)).body as Bulk;

test("a bulk action is brought to its end by the queue alone", async () => {
  const ids = await asleep(5);
  const id = await begin({ verb: "cancel", ids, rate: 2 });
  await eventually("the bulk action is done", async () => (await see(id)).status === "done");
  await world.allReach(ids, "cancelled");
  expect(await see(id)).toMatchObject({ done: 5, seen: 5 });
});

test("a bulk action whose wake-ups are lost is brought to its end by the cron", async () => {
  const ids = await asleep(3);
  world.broker.deliveries = () => 0;
  const id = await begin({ verb: "pause", ids, rate: 1 });
  for (let share = 1; share <= 2; share++) {
    await world.worker.tick();
    await world.database.moveClock(2_000);
  }
  expect(await see(id)).toMatchObject({ status: "done", done: 3 });
});

test("a bulk action goes on where it was when its worker is killed", async () => {
  const ids = await asleep(30);
  const id = await begin({ verb: "cancel", ids, rate: 10 });
  const cancelled = async () =>
    (await world.database.rows("select from pawl.runs where status = 'cancelled'")).length;
  await eventually("it has begun", async () => (await cancelled()) > 0);
  world.worker.kill();
  const before = await cancelled();
  await world.worker.restart();
  await world.database.moveClock(SHARE_LEASE_MS);
  await world.worker.tick();
  await eventually("the bulk action is done", async () => (await see(id)).status === "done");
  await world.allReach(ids, "cancelled");
  expect(before).toBeLessThanOrEqual(30);
  // Cancelling what is cancelled is fine, so what was done twice counts once as done.
  expect(await see(id)).toMatchObject({ done: 30, seen: 30 });
  const noted = await world.database.rows<{ run_id: string }>("select run_id from pawl.actions order by 1");
  expect(noted.map(({ run_id }) => run_id)).toEqual(ids.toSorted());
});
