/**
 * Secrets are planted wherever one may stand: no answer and no line of the log says one, whatever goes wrong, and the
 * headers of a request are stored nowhere (S16).
 */
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { REQUESTS, WITHOUT_DATABASE } from "../http/samples.ts";
import { createDatabase } from "../support/database.ts";
import { exchange, posting, requestText } from "../support/raw-http.ts";
import { TOKEN } from "../support/worker.ts";
import { createWorld, type World } from "../support/world.ts";

/** Each is recognised anywhere; none is a part of another. */
const PLANTED = {
  "the hook secret": "canary-of-the-hook-secret-0001",
  "a webhook's secret": `whsec_${Buffer.from("canary of a webhook: 32 bytes  2").toString("base64")}`,
  "a token that is wrong": "canary-of-a-wrong-token-0003",
  "another header": "canary-of-a-header-0004",
  "a cookie": "canary-of-a-cookie-0005",
  // Short: a parser quotes a few characters only.
  "a body": "canary6",
  "a parameter": "canary-of-a-parameter-0007",
  "a hook's token": "canary-of-a-token-of-a-hook-00000000000008-",
  "a wrong password": "canary-of-a-password-0009",
} as const;

const HEADERS = {
  cookie: `session=${PLANTED["a cookie"]}`,
  "x-api-key": PLANTED["another header"],
  "x-forwarded-authorization": `Bearer ${PLANTED["another header"]}`,
};

/** Whatever a route asks first. */
const VERBS = [
  ...([
    "read",
    "start",
    "cancel",
    "revive",
    "discard",
    "publish",
    "match",
    "signal",
    "word",
    "pause",
    "resume",
  ] as const),
  ...(["fork", "events", "hook", "mutation", "bulk", "history"] as const),
];

let world: World;
let secrets: readonly string[];
const told: string[] = [];

beforeAll(async () => {
  const database = await createDatabase();
  const sink = { name: "hours", type: "webhook", url: "http://127.0.0.1:9/", types: ["*"], attempts: 1 };
  const vars = {
    PAWL_HOOK_SECRET: PLANTED["the hook secret"],
    PAWL_EVENT_SINKS: JSON.stringify([{ ...sink, secrets: [PLANTED["a webhook's secret"]] }]),
  };
  world = await createWorld(vars, database);
  secrets = [TOKEN, new URL(database.url).password, database.url, ...Object.values(PLANTED)];
});
afterEach(async () => {
  await world.settle();
  const all = [...told.splice(0), ...world.worker.logs.splice(0)].join("\n");
  expect(all.length).toBeGreaterThan(0);
  expect(secrets.filter((secret) => all.includes(secret))).toEqual([]);
});
afterAll(() => world?.stop());

/** The status; what it says besides is noted. */
async function ask(path: string, init: RequestInit = {}): Promise<number> {
  const response = await world.worker.fetch(path, {
    ...init,
    headers: { ...HEADERS, ...(init.headers as Record<string, string>) },
  });
  told.push(JSON.stringify([...response.headers]), await response.text());
  return response.status;
}

const JSON_TYPE = { "content-type": "application/json" };
const BODY = JSON.stringify({ input: { steps: 1, secret: PLANTED["a body"] } });

test("what is refused says none of them", async () => {
  const wrong = { authorization: `Bearer ${PLANTED["a token that is wrong"]}` };
  for (const { path, init } of REQUESTS) {
    const query = `?x=${PLANTED["a parameter"]}`;
    expect(
      await ask(path + query, { ...init, headers: { ...init.headers, ...wrong } }),
    ).toBeGreaterThanOrEqual(200);
    if (init.method === "GET") continue;
    for (const body of [
      `{"a":${PLANTED["a body"]}}`,
      `{"secret":"${PLANTED["a body"]}"`,
      PLANTED["a body"],
    ]) {
      expect(await ask(path, { ...init, body })).toBe(400);
    }
    expect(await ask(path, { ...init, headers: { "content-type": PLANTED["a body"] }, body: "{}" })).toBe(
      415,
    );
  }
  expect(
    await ask(`/hooks/${PLANTED["a hook's token"]}`, { method: "POST", headers: JSON_TYPE, body: BODY }),
  ).toBe(404);
  expect(
    await ask("/api/workflows/count/runs", { method: "POST", headers: JSON_TYPE, body: '{"input":1}' }),
  ).toBe(422);
});

test("while the database is away, neither the caller nor the operator is told one", async () => {
  for (const { path, init } of REQUESTS.filter(({ route }) => !WITHOUT_DATABASE.has(route))) {
    world.gateway.inject({ on: VERBS, when: "before", act: () => "cut" });
    const query = init.method === "GET" ? "" : `?x=${PLANTED["a parameter"]}`;
    const status = await ask(path.replace(/A{43}/, PLANTED["a hook's token"]) + query, init);
    // Some refuse what their sample names before they ask: this worker has other workflows.
    expect([path, status]).toEqual([path, path.includes("/workflows/echo") ? 404 : 503]);
    await world.gateway.reset();
  }
  const body = JSON.stringify({ input: { steps: 1 }, tags: [PLANTED["a body"]] });
  world.gateway.inject({ on: VERBS, when: "before", act: () => "cut" });
  expect(await ask("/api/workflows/count/runs", { method: "POST", headers: JSON_TYPE, body })).toBe(503);
  expect(world.worker.logs.filter((line) => line.includes('"survived"')).length).toBeGreaterThan(20);
});

test("a fault of ours says none, and the operator finds it by the request's id", async () => {
  await world.database.rows("alter table pawl.runs rename to elsewhere");
  try {
    const response = await world.worker.fetch("/api/runs", { headers: HEADERS });
    expect(response.status).toBe(500);
    expect(world.worker.logs.join()).toContain(response.headers.get("x-request-id"));
    told.push(await response.text());
    const body = JSON.stringify({ input: { steps: 1 }, tags: [PLANTED["a body"]] });
    expect(await ask("/api/workflows/count/runs", { method: "POST", headers: JSON_TYPE, body })).toBe(500);
  } finally {
    await world.database.rows("alter table pawl.elsewhere rename to runs");
  }
});

test("a password that Postgres refuses is an outage (I9), and told to nobody", async () => {
  const url = Object.assign(new URL(world.database.url), { password: PLANTED["a wrong password"] });
  await world.worker.restart({ vars: { DATABASE_URL: url.href } });
  expect(await ask("/healthz")).toBe(503);
  expect(await ask("/api/runs")).toBe(503);
  expect(world.worker.logs.join()).toContain("password authentication failed");
  await world.worker.restart();
});

test("the headers of a request are stored nowhere", async () => {
  const headers = Object.entries(HEADERS).map(([name, value]) => `${name}: ${value}`);
  const lines = posting('{"input":{"steps":1}}', [...headers, `Authorization: Bearer ${TOKEN}`]);
  const { statuses, text } = await exchange(
    world.worker.url,
    requestText("POST /api/workflows/count/runs", ...lines),
  );
  expect(statuses).toEqual([201]);
  told.push(text);
  const [run] = await world.database.rows<{ id: string }>("select id from pawl.runs");
  await world.reaches(run?.id ?? "", "completed");
  const tables = await world.database.rows<{ name: string }>(
    "select table_name as name from information_schema.tables where table_schema = 'pawl' and table_type = 'BASE TABLE'",
  );
  for (const { name } of tables) {
    const held = `select from pawl.${name} t where exists (select from unnest($1::text[]) s where position(s in t::text) > 0)`;
    expect([name, await world.database.rows(held, [secrets])]).toEqual([name, []]);
  }
});
