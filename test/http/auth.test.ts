import { describe, expect, test } from "vitest";
import { digestToken, isSameDigest } from "../../src/http/auth.ts";
import { appWith, errorOf, REQUESTS, RUN_ID, SAMPLES, TOKEN } from "./support.ts";

const { app, raw, call } = await appWith({ reads: { health: async () => ({ now: 0, lastTickAt: null }) } });
const PUBLIC = ["GET /healthz", "POST /hooks/:token"];
const PRIVATE = REQUESTS.filter(({ route }) => !PUBLIC.includes(route));

const WRONG: Record<string, string | null> = {
  "no token": null,
  "a wrong token": "Bearer wrong-token-of-the-same-length",
  "an empty token": "Bearer ",
  "the scheme alone": "Bearer",
  "the token without a scheme": TOKEN,
  "another scheme": `Basic ${btoa(`admin:${TOKEN}`)}`,
  "a lower-case scheme": `bearer ${TOKEN}`,
  "two headers": `Bearer ${TOKEN}, Bearer ${TOKEN}`,
  "a second token after it": `Bearer ${TOKEN} ${TOKEN}`,
  "two spaces": `Bearer  ${TOKEN}`,
  "the token's beginning": `Bearer ${TOKEN.slice(0, -1)}`,
  "the token and more": `Bearer ${TOKEN}x`,
  "the token in another case": `Bearer ${TOKEN.toUpperCase()}`,
};

test("the samples name every route that the app has", () => {
  const routes = new Set(
    app.routes.filter(({ method }) => method !== "ALL").map((r) => `${r.method} ${r.path}`),
  );
  expect([...routes].sort()).toEqual(Object.keys(SAMPLES).sort());
});

describe.each(Object.entries(WRONG))("with %s", (_name, authorization) => {
  const headers = authorization === null ? {} : { authorization };

  test.each(PRIVATE)("$route answers 401", async ({ path, init }) => {
    const response = await raw(path, { ...init, headers: { ...init.headers, ...headers } });
    expect(response.headers.get("www-authenticate")).toBe("Bearer");
    expect(await errorOf(response)).toEqual({
      status: 401,
      code: "unauthorized",
      message: 'This needs the header "Authorization: Bearer <token>" with a valid token.',
    });
  });

  test("/healthz answers", async () => {
    expect((await raw("/healthz", { headers })).status).toBe(200);
    expect((await raw("/healthz", { headers, method: "HEAD" })).status).toBe(200);
  });
});

test.each(["GET", "HEAD", "PUT", "DELETE", "PATCH", "OPTIONS"])(
  "%s /hooks/:token is not public",
  async (method) => {
    expect((await raw(`/hooks/${"A".repeat(43)}`, { method })).status).toBe(401);
  },
);

describe("a spelling of the URL never opens what the plain one does not", () => {
  test.each([
    "/",
    "/nothing",
    "/healthz/",
    "//healthz",
    "/healthz;x",
    "/healthz/../api/runs",
    "/healthz%2f..%2fapi%2fruns",
    "/HEALTHZ",
    "/healthz%00",
    "/healthz%3f",
    "/healthz%2e",
    "/api",
    "/api/",
    "/api/runs/",
    "//api/runs",
    "/api//runs",
    "/api/./runs",
    "/api/%2e%2e/api/runs",
    "/API/RUNS",
    "/api/%72uns",
    "/api/runs;/healthz",
    "/api/runs/healthz",
    "/api/runs%2fhealthz",
    `/api/runs/${RUN_ID}/configs`,
    "/api/runs?x=/healthz",
    "/api/runs#/healthz",
    "/api/runs/%",
    "/api/runs/%zz",
    "/api/runs/%00",
    "/api/runs/%ff",
  ])("%s", async (path) => {
    expect((await raw(path)).status).toBe(401);
    expect((await raw(path, { method: "HEAD" })).status).toBe(401);
    expect((await call(path)).status).not.toBe(401);
  });

  test("with the token, an unknown path is not found", async () => {
    expect(await errorOf(await call("/api/nothing"))).toMatchObject({ status: 404, code: "not_found" });
  });

  test.each(["%2e%2e/healthz", "../healthz"])(
    "a path that resolves to /healthz is /healthz: /api/%s",
    async (p) => {
      expect((await raw(`/api/${p}`)).status).toBe(200);
    },
  );

  test.each(["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "PROPFIND"])(
    "%s /healthz is not public",
    async (method) => {
      expect((await raw("/healthz", { method })).status).toBe(401);
    },
  );

  test("headers that override the method or the path are ignored", async () => {
    const headers = {
      "x-http-method-override": "GET",
      "x-original-url": "/healthz",
      "x-rewrite-url": "/healthz",
    };
    expect((await raw("/api/runs", { method: "POST", headers })).status).toBe(401);
  });
});

describe("digests", () => {
  test("are equal for the same token only", async () => {
    expect(isSameDigest(await digestToken("a"), await digestToken("a"))).toBe(true);
    const digest = await digestToken("a");
    for (let at = 0; at < 32; at++) {
      const other = digest.with(at, (digest[at] ?? 0) ^ 1);
      expect(isSameDigest(digest, other)).toBe(false);
    }
  });

  test("of another length than 32 bytes are never equal", () => {
    expect(isSameDigest(new Uint8Array(), new Uint8Array())).toBe(false);
    expect(isSameDigest(new Uint8Array(33), new Uint8Array(33))).toBe(false);
    expect(isSameDigest(new Uint8Array(32), new Uint8Array(31))).toBe(false);
  });
});
