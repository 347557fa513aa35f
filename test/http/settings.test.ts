/** A deployment whose settings are not what they must be serves nothing, and does not give away what they are (S2, S16). */
import { expect, test } from "vitest";
import { createWorker } from "../../src/wiring.ts";
import { REQUESTS } from "./samples.ts";
import { errorOf, ORIGIN, TOKEN } from "./support.ts";

const SECRET = "canary-of-a-secret-0001";
const queue = { sendBatch: async () => {} };
const RIGHT = {
  WAKE_UPS: queue,
  DATABASE_URL: "postgres://owner:password@db.example/pawl",
  PAWL_ADMIN_TOKEN: TOKEN,
};

const webhook = { name: "a", type: "webhook", url: "https://example.com/" };
const sinks = (sink: object) => ({ PAWL_EVENT_SINKS: JSON.stringify([sink]) });

const context = { waitUntil: () => {}, passThroughOnException: () => {}, props: {} };

async function ask(env: object, { path, init }: (typeof REQUESTS)[number]): Promise<Response> {
  const headers = { ...init.headers, authorization: `Bearer ${SECRET}` };
  const request = new Request(`${ORIGIN}${path}`, { ...init, headers });
  return createWorker([]).fetch(request, env as never, context as never);
}

test.each([
  ["DATABASE_URL", { DATABASE_URL: undefined }],
  ["DATABASE_URL", { DATABASE_URL: "" }],
  ["DATABASE_URL", { DATABASE_URL: SECRET }],
  ["DATABASE_URL", { DATABASE_URL: `mysql://owner:${SECRET}@db.example/pawl` }],
  ["DATABASE_URL", { DATABASE_URL: `postgres://owner:${SECRET}@db example/pawl` }],
  ["DATABASE_URL", { DATABASE_URL: `postgres://owner:${SECRET}@db.example:99999/pawl` }],
  ["PAWL_ADMIN_TOKEN", { PAWL_ADMIN_TOKEN: undefined }],
  ["PAWL_ADMIN_TOKEN", { PAWL_ADMIN_TOKEN: "" }],
  ["PAWL_ADMIN_TOKEN", { PAWL_ADMIN_TOKEN: "fifteen-letters" }],
  ["PAWL_ADMIN_TOKEN", { PAWL_ADMIN_TOKEN: " ".repeat(20) }],
  ["PAWL_ADMIN_TOKEN", { PAWL_ADMIN_TOKEN: `${SECRET} ${SECRET}` }],
  ["PAWL_ADMIN_TOKEN", { PAWL_ADMIN_TOKEN: `${SECRET},${SECRET}` }],
  ["PAWL_READ_TOKEN", { PAWL_READ_TOKEN: "fifteen-letters" }],
  ["PAWL_READ_TOKEN", { PAWL_READ_TOKEN: `${SECRET} ${SECRET}` }],
  ["PAWL_READ_TOKEN", { PAWL_READ_TOKEN: TOKEN }],
  ["WAKE_UPS", { WAKE_UPS: undefined }],
  ["WAKE_UPS", { WAKE_UPS: SECRET }],
  ["WAKE_UPS_2", { WAKE_UPS_2: SECRET }],
  ["WAKE_UPS_3", { WAKE_UPS_2: queue, WAKE_UPS_3: { get: async () => SECRET } }],
  ["WAKE_UPS_1", { WAKE_UPS_1: queue }],
  ["WAKE_UPS_02", { WAKE_UPS_02: queue }],
  ["WAKE_UPS2", { WAKE_UPS2: queue }],
  ["PAWL_LEASE_MS", { PAWL_LEASE_MS: SECRET }],
  ["PAWL_DATABASE_TIMEOUT_MS", { PAWL_DATABASE_TIMEOUT_MS: "-1" }],
  ["PAWL_EVENT_SINKS", { PAWL_EVENT_SINKS: `[{"secrets":["${SECRET}"` }],
  ["PAWL_EVENT_SINKS", sinks({ ...webhook, secrets: [SECRET] })],
  ["PAWL_EVENT_SINKS", sinks({ ...webhook, url: `https://owner:${SECRET}@example.com/` })],
  ["PAWL_EVENT_SINKS", sinks({ ...webhook, url: `http://example.com/${SECRET}` })],
  ["PAWL_EVENT_SINKS", sinks({ name: SECRET.repeat(9), type: "webhook" })],
])("with %s wrong, every route answers 503 and names it without quoting it: %j", async (name, wrong) => {
  for (const request of REQUESTS) {
    const response = await ask({ ...RIGHT, ...wrong }, request);
    const refusal = await errorOf(response);
    expect(refusal).toMatchObject({ status: 503, code: "not_configured" });
    expect(refusal.message).toContain(name);
    expect(refusal.message).not.toContain(SECRET);
  }
});

test("with all of them right, what is asked without the token is a 401", async () => {
  const [request] = REQUESTS.filter(({ route }) => route === "GET /api/workflows");
  if (request === undefined) throw new Error("there is no such sample");
  expect((await ask(RIGHT, request)).status).toBe(401);
});
