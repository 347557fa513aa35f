/** Who may call what: every caller at every route. The routes are the app's own, so a new one is covered at once (K5, S1). */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { digestToken, isSameDigest } from "../../src/http/auth.ts";
import { isChanging, PUBLIC_ROUTES, REQUESTS, routesOf, SAMPLES } from "./samples.ts";
import { errorOf, ORIGIN, READ_TOKEN, signIn, TOKEN, watchedApp } from "./support.ts";

const { app, raw, asked } = await watchedApp({
  reads: { health: async () => ({ now: 0, lastTickAt: null, idleUntil: null }) },
});

interface Caller {
  readonly headers?: Readonly<Record<string, string>>;
  readonly query?: string;
  readonly mayCall: (route: string) => boolean;
  /** The code of the refusal, where it is not that of a stranger. */
  readonly refusal?: string;
}

const isPublic = (route: string) => PUBLIC_ROUTES.has(route);
const stranger = (shown: Omit<Caller, "mayCall">): Caller => ({ ...shown, mayCall: isPublic });
const bearing = (authorization: string) => stranger({ headers: { authorization } });

const everything = () => true;
const reading = (route: string) => !isChanging(route);
const [admin, reader] = [await signIn(raw, TOKEN), await signIn(raw, READ_TOKEN)];
const own = { origin: ORIGIN, "sec-fetch-site": "same-origin" };
/** A page of somebody else's that has a browser send the cookie along; nobody is signed in from there either. */
const crossOrigin = (headers: { readonly origin?: string; readonly "sec-fetch-site": string }): Caller => ({
  headers: { cookie: admin, ...headers },
  mayCall: (route) => isPublic(route) && route !== "POST /api/session",
  refusal: "cross_origin",
});
/** The session without a page of this deployment's that is known to ask: good for reading, as when an address is typed in. */
const unknownOrigin = (headers: Record<string, string>): Caller => ({
  headers: { cookie: admin, ...headers },
  mayCall: (route) => route.startsWith("GET ") || isPublic(route),
  refusal: "cross_origin",
});

/** Whoever is told apart has a line: another role, or another tenant's token, would be one more. */
const CALLERS: Readonly<Record<string, Caller>> = {
  "the admin token": { headers: { authorization: `Bearer ${TOKEN}` }, mayCall: everything },
  "the reading token": {
    headers: { authorization: `Bearer ${READ_TOKEN}` },
    mayCall: reading,
    refusal: "read_only",
  },
  "an admin's session": { headers: { cookie: admin, ...own }, mayCall: everything },
  "a reader's session": { headers: { cookie: reader, ...own }, mayCall: reading, refusal: "read_only" },
  "an admin's session among other cookies": {
    headers: { cookie: `theme=dark; ${admin}; other=1`, ...own },
    mayCall: everything,
  },
  "a session of a browser that tells its origin only": {
    headers: { cookie: admin, origin: ORIGIN },
    mayCall: everything,
  },
  "a session of a browser that tells its site only": {
    headers: { cookie: admin, "sec-fetch-site": "same-origin" },
    mayCall: everything,
  },
  "a session from no page that is named": unknownOrigin({}),
  "a session, the address typed in": unknownOrigin({ "sec-fetch-site": "none" }),
  "a session from a page of another site": crossOrigin({
    origin: "https://evil.example",
    "sec-fetch-site": "cross-site",
  }),
  "a session from a page of another port": crossOrigin({
    origin: `${ORIGIN}:8080`,
    "sec-fetch-site": "same-site",
  }),
  "a session from a sandboxed page": crossOrigin({ origin: "null", "sec-fetch-site": "cross-site" }),
  "a session under the name of plain HTTP": stranger({
    headers: { cookie: admin.replace("__Host-pawl", "pawl_local"), ...own },
  }),
  "a session without its signature": stranger({
    headers: { cookie: admin.replace(/\.[^.]*$/, "."), ...own },
  }),
  "a session that was changed to last longer": stranger({
    headers: { cookie: admin.replace(/\d{13}/, (ms) => String(Number(ms) + 1)), ...own },
  }),
  "a reader's session that was changed to an admin's": stranger({
    headers: { cookie: reader.replace("read.", "admin."), ...own },
  }),
  "a session beside a wrong token": stranger({
    headers: { cookie: admin, authorization: "Bearer wrong", ...own },
  }),
  "no token": stranger({}),
  "a wrong token": bearing("Bearer wrong-token-of-the-same-length"),
  "an empty header": bearing(""),
  "an empty token": bearing("Bearer "),
  "the scheme alone": bearing("Bearer"),
  "the token without a scheme": bearing(TOKEN),
  "another scheme": bearing(`Basic ${btoa(`admin:${TOKEN}`)}`),
  "the token under another scheme": bearing(`Token ${TOKEN}`),
  "a lower-case scheme": bearing(`bearer ${TOKEN}`),
  "two headers": bearing(`Bearer ${TOKEN}, Bearer ${TOKEN}`),
  "a wrong header after the right one": bearing(`Bearer ${TOKEN}, Bearer wrong`),
  "the right header after a wrong one": bearing(`Bearer wrong, Bearer ${TOKEN}`),
  "a second token after it": bearing(`Bearer ${TOKEN} ${TOKEN}`),
  "two spaces": bearing(`Bearer  ${TOKEN}`),
  "a tab": bearing(`Bearer\t${TOKEN}`),
  "a comma after the token": bearing(`Bearer ${TOKEN},`),
  "the token in quotes": bearing(`Bearer "${TOKEN}"`),
  "the token's beginning": bearing(`Bearer ${TOKEN.slice(0, -1)}`),
  "the token and more": bearing(`Bearer ${TOKEN}x`),
  "the token in another case": bearing(`Bearer ${TOKEN.toUpperCase()}`),
  "100 KB of token": bearing(`Bearer ${"x".repeat(100_000)}`),
  "the token in a cookie": stranger({ headers: { cookie: `authorization=Bearer ${TOKEN}; token=${TOKEN}` } }),
  "the token in other headers": stranger({
    headers: { "x-api-key": TOKEN, "x-auth-token": TOKEN, "proxy-authorization": `Bearer ${TOKEN}` },
  }),
  "the token in the query": stranger({
    query: `access_token=${TOKEN}&token=${TOKEN}&authorization=Bearer ${TOKEN}`,
  }),
  "the words of a trusted proxy": stranger({
    headers: { "x-forwarded-for": "127.0.0.1", "cf-access-jwt-assertion": TOKEN, "x-user": "admin" },
  }),
};

test.each(routesOf(app))("%s has a sample request, from which its hostile ones are made", (route) => {
  expect(Object.keys(SAMPLES)).toContain(route);
});

test.each(Object.keys(SAMPLES))("%s has a sample and is a route", (route) => {
  expect(routesOf(app)).toContain(route);
});

describe.each(Object.entries(CALLERS))("with %s", (_name, { headers, query, mayCall, refusal }) => {
  const call = async ({ path, init }: (typeof REQUESTS)[number]) => {
    asked.length = 0;
    const url = query === undefined ? path : `${path}?${query}`;
    const response = await raw(url, { ...init, headers: { ...init.headers, ...headers } });
    return { response, asked: [...asked] };
  };

  test.each(REQUESTS.filter(({ route }) => mayCall(route)))("$route is performed", async (request) => {
    const { response, asked } = await call(request);
    expect([401, 403]).not.toContain(response.status);
    // Signing out needs nothing but the answer.
    if (request.route !== "DELETE /api/session") expect(asked).not.toEqual([]);
  });

  test.each(REQUESTS.filter(({ route }) => !mayCall(route)))(
    "$route is refused as everywhere, and nothing is performed",
    async (request) => {
      const { response, asked } = await call(request);
      if (refusal === undefined) {
        expect(asked).toEqual([]);
        expect(await withoutRequestId(response)).toEqual(UNAUTHORIZED);
        return;
      }
      // Whether a session is over, the clock says.
      expect(asked.filter((part) => part !== "clock")).toEqual([]);
      expect(await errorOf(response)).toMatchObject({ status: 403, code: refusal });
    },
  );
});

test("a body is not read before the token is known to be right", async () => {
  for (const { path, init } of REQUESTS.filter(({ route }) => !isPublic(route) && route.startsWith("POST"))) {
    let pulled = 0;
    const body = new ReadableStream({ pull: () => void pulled++ }, { highWaterMark: 0 });
    const response = await raw(path, { ...init, body, duplex: "half" } as RequestInit);
    expect([path, response.status, pulled]).toEqual([path, 401, 0]);
  }
});

/** All that a stranger is told, wherever it knocks and whatever it shows (S23, S24). */
const UNAUTHORIZED = {
  status: 401,
  headers: {
    "cache-control": "no-store",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
    "content-type": "application/json",
    "cross-origin-opener-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    "referrer-policy": "no-referrer",
    "strict-transport-security": "max-age=31536000",
    "www-authenticate": "Bearer",
    "x-content-type-options": "nosniff",
  },
  error: {
    code: "unauthorized",
    message: 'This needs the header "Authorization: Bearer <token>" with a valid token.',
  },
};

async function withoutRequestId(response: Response): Promise<typeof UNAUTHORIZED> {
  const { "x-request-id": requestId, ...headers } = Object.fromEntries(response.headers);
  const { error } = (await response.json()) as {
    error: { requestId: string; code: string; message: string };
  };
  const { requestId: again, ...rest } = error;
  expect(again).toBe(requestId);
  return { status: response.status, headers, error: rest } as typeof UNAUTHORIZED;
}

describe("digests of tokens", () => {
  /** Of any code units, halves of surrogate pairs too. */
  const token = fc.string({
    unit: fc.nat({ max: 0xffff }).map((code) => String.fromCharCode(code)),
    maxLength: 300,
  });

  test("are equal for the same token only, whatever the tokens are and however long (S6)", async () => {
    await fc.assert(
      fc.asyncProperty(token, token, async (one, other) => {
        const [a, b] = [await digestToken(one), await digestToken(other)];
        expect([a.length, b.length]).toEqual([32, 32]);
        expect(isSameDigest(a, await digestToken(one))).toBe(true);
        // UTF-8 knows no half of a surrogate pair: each becomes U+FFFD.
        expect(isSameDigest(a, b)).toBe(one.toWellFormed() === other.toWellFormed());
      }),
    );
  });

  test("differ by any one byte", async () => {
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
