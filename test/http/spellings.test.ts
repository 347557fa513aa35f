/**
 * However a request is spelled, it is decided as what it resolves to: without the token nothing answers but the exact
 * public routes (K3). Spellings that a URL parser does not let through are in `worker/hostile-requests.test.ts`.
 */
import { describe, expect, test } from "vitest";
import { REQUESTS, spellingsOf } from "./samples.ts";
import { ORIGIN, TOKEN, watchedApp } from "./support.ts";

const { raw, asked } = await watchedApp({
  reads: { health: async () => ({ now: 0, lastTickAt: null, idleUntil: null }) },
});

const METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND"];

/** What the public routes are, said again without the router. */
function isPublic(method: string, url: string): boolean {
  let { pathname } = new URL(`${ORIGIN}${url}`);
  try {
    pathname = decodeURI(pathname);
  } catch {
    // It stands for itself.
  }
  if (method === "POST") return /^\/hooks\/[^/]+$/.test(pathname) || pathname === "/api/session";
  return (method === "GET" || method === "HEAD") && pathname === "/healthz";
}

const SPELLINGS = [...new Set(["/", "/nothing", "/api", "/hooks", ...REQUESTS.map(({ path }) => path)])].map(
  (path) => ({ path, spellings: spellingsOf(path) }),
);

describe("however a path is spelled and whatever the method", () => {
  test.each(SPELLINGS)("without the token nothing is performed: $path", async ({ spellings }) => {
    for (const method of METHODS) {
      for (const spelling of spellings.filter((each) => !isPublic(method, each))) {
        asked.length = 0;
        const response = await raw(spelling, { method });
        const seen = { method, spelling, status: response.status, asked: [...asked] };
        expect(seen).toEqual({ method, spelling, status: 401, asked: [] });
        expect(response.headers.get("x-injected")).toBeNull();
      }
    }
  });
});

test("a path that resolves to a public route is that route", async () => {
  for (const path of ["/healthz", "/api/../healthz", "/api/%2e%2e/healthz", "/%68ealthz", "/./healthz?x#y"]) {
    expect([path, isPublic("GET", path), (await raw(path)).status]).toEqual([path, true, 200]);
  }
});

describe("headers and parameters that name another method or path are ignored", () => {
  const overrides = {
    "x-http-method-override": "GET",
    "x-http-method": "GET",
    "x-method-override": "GET",
    "x-original-url": "/healthz",
    "x-rewrite-url": "/healthz",
    "x-forwarded-prefix": "/healthz",
    "x-forwarded-path": "/healthz",
    "x-middleware-subrequest": "middleware",
  };

  test.each(REQUESTS.filter(({ init, path }) => !isPublic(init.method, path)))(
    "$route needs the token",
    async ({ path, init }) => {
      asked.length = 0;
      const headers = { ...init.headers, ...overrides };
      for (const url of [path, `${path}?_method=GET&method=GET`]) {
        expect((await raw(url, { ...init, headers })).status).toBe(401);
      }
      expect(asked).toEqual([]);
    },
  );

  test("a GET stays one, and a POST of /healthz does not become one", async () => {
    const authorization = `Bearer ${TOKEN}`;
    const post = {
      ...overrides,
      "x-http-method-override": "POST",
      "x-method-override": "POST",
      authorization,
    };
    expect((await raw("/api/workflows?_method=POST", { headers: post })).status).toBe(200);
    expect((await raw("/healthz", { method: "POST", headers: overrides })).status).toBe(401);
    const allowed = await raw("/healthz", { method: "POST", headers: { ...overrides, authorization } });
    expect(allowed.status).toBe(405);
  });
});
