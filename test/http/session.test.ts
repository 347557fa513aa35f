/** A browser's session in place of the token: what the cookie is, how long it lasts, and what ends it (S10, S11). */
import { describe, expect, test } from "vitest";
import { digestToken } from "../../src/http/auth.ts";
import { appWith, errorOf, ORIGIN, READ_TOKEN, serve, signIn, TOKEN } from "./support.ts";

const HOUR_MS = 3_600_000;
const JSON_TYPE = { "content-type": "application/json" };
const signInBody = (token: string) => ({
  method: "POST",
  headers: JSON_TYPE,
  body: JSON.stringify({ token }),
});

test("signing in answers what the session may do, until when, and the cookie of a __Host- session", async () => {
  const { raw } = await appWith();
  const response = await raw("/api/session", signInBody(TOKEN));
  expect(response.status).toBe(200);
  expect(await response.json()).toEqual({
    role: "admin",
    expiresAt: "2026-02-01T00:00:00.000Z",
    deployment: "v7",
  });
  expect(response.headers.get("set-cookie")).toMatch(
    /^__Host-pawl=admin\.\d{13}\.[\w-]{43}; Max-Age=43200; Path=\/; HttpOnly; Secure; SameSite=Strict$/,
  );
});

test("the cookie says nothing of the token", async () => {
  const { raw } = await appWith();
  const cookie = await signIn(raw, TOKEN);
  for (const encoded of [TOKEN, btoa(TOKEN), Buffer.from(TOKEN).toString("hex")]) {
    expect(cookie).not.toContain(encoded);
  }
});

test("on the developer's own machine, without HTTPS, the cookie is one that the browser keeps", async () => {
  const { send } = await appWith();
  for (const host of ["localhost:8787", "127.0.0.1:8787", "[::1]:8787"]) {
    const url = `http://${host}/api/session`;
    const signedIn = await send(new Request(url, signInBody(TOKEN)));
    const cookie = signedIn.headers.get("set-cookie") ?? "";
    expect(cookie).toMatch(/^pawl_local=/);
    expect(cookie).not.toContain("Secure");
    const headers = { cookie: cookie.slice(0, cookie.indexOf(";")) };
    expect((await send(new Request(url, { headers }))).status).toBe(200);
    expect((await send(new Request("https://pawl.example/api/session", { headers }))).status).toBe(401);
  }
});

test("a session tells its role, a bearer token that it does not end", async () => {
  const { raw, call } = await appWith();
  const cookie = await signIn(raw, READ_TOKEN);
  expect(await (await raw("/api/session", { headers: { cookie } })).json()).toEqual({
    role: "read",
    expiresAt: "2026-02-01T00:00:00.000Z",
    deployment: "v7",
  });
  expect(await (await call("/api/session")).json()).toMatchObject({ role: "admin", expiresAt: null });
});

test.each(["", "wrong-token-of-the-same-length!", `${TOKEN} `, TOKEN.slice(1), TOKEN.toUpperCase()])(
  "signing in with %j is refused, and no cookie is set",
  async (token) => {
    const { raw } = await appWith();
    const response = await raw("/api/session", signInBody(token));
    expect(response.headers.get("set-cookie")).toBeNull();
    expect(await errorOf(response)).toMatchObject({ status: 401, code: "unauthorized" });
  },
);

test.each(["https://evil.example", "null", `${ORIGIN}.evil.example`])(
  "a page of %s signs nobody in",
  async (origin) => {
    const { raw } = await appWith();
    const init = signInBody(TOKEN);
    const response = await raw("/api/session", { ...init, headers: { ...init.headers, origin } });
    expect(response.headers.get("set-cookie")).toBeNull();
    expect(await errorOf(response)).toMatchObject({ status: 403, code: "cross_origin" });
  },
);

describe("wrong tokens", () => {
  const from = (address: string, token: string) => {
    const init = signInBody(token);
    return { ...init, headers: { ...init.headers, "cf-connecting-ip": address } };
  };

  /** An app at which this address has no attempt left. */
  async function exhausted(address: string) {
    const app = await appWith();
    for (let i = 0; i < 10; i++)
      expect((await app.raw("/api/session", from(address, `wrong ${i}`))).status).toBe(401);
    return app;
  }

  test("of one address are ten in a row; then not even the right one is looked at, until it has waited", async () => {
    const { raw, runtime } = await exhausted("192.0.2.1");
    const refused = await raw("/api/session", from("192.0.2.1", TOKEN));
    expect(refused.headers.get("retry-after")).toBe("30");
    expect(refused.headers.get("set-cookie")).toBeNull();
    expect(await errorOf(refused)).toMatchObject({ status: 429, code: "too_many_sign_ins" });
    await runtime.clock.sleep(30_000);
    expect((await raw("/api/session", from("192.0.2.1", TOKEN))).status).toBe(200);
  });

  test("of one address hold up nobody else, and no bearer of a token", async () => {
    const { raw, call } = await exhausted("192.0.2.1");
    expect((await raw("/api/session", from("192.0.2.2", TOKEN))).status).toBe(200);
    expect((await call("/api/session")).status).toBe(200);
  });

  test("are what is counted: whoever has the right one signs in as often as they like", async () => {
    const { raw } = await appWith();
    for (let i = 0; i < 30; i++)
      expect((await raw("/api/session", from("192.0.2.1", TOKEN))).status).toBe(200);
  });

  test("of ever new addresses take no more memory than a thousand: the first is forgotten", async () => {
    const { raw } = await exhausted("192.0.2.1");
    for (let i = 0; i < 1_000; i++) await raw("/api/session", from(`host ${i}`, "wrong"));
    expect((await raw("/api/session", from("192.0.2.1", TOKEN))).status).toBe(200);
  });
});

test("a session ends after 12 hours, whatever was done with it", async () => {
  const { raw, runtime } = await appWith();
  const cookie = await signIn(raw, TOKEN);
  const status = async () => (await raw("/api/session", { headers: { cookie } })).status;
  await runtime.clock.sleep(12 * HOUR_MS - 1);
  expect(await status()).toBe(200);
  await runtime.clock.sleep(1);
  expect(await status()).toBe(401);
});

test("signing out has the browser forget the cookie", async () => {
  const { raw } = await appWith();
  const headers = { cookie: await signIn(raw, READ_TOKEN), origin: ORIGIN };
  const response = await raw("/api/session", { method: "DELETE", headers });
  expect(await response.json()).toEqual({ signedOut: true });
  expect(response.headers.get("set-cookie")).toBe("__Host-pawl=; Max-Age=0; Path=/; Secure");
});

describe("when a token is changed", () => {
  const OTHER = "another-token-of-the-tests-01234";

  async function statusUnder(token: string, admin: string, read: string | null): Promise<number> {
    const { raw, runtime } = await appWith();
    const cookie = await signIn(raw, token);
    const digestOf = async (text: string | null) => (text === null ? null : digestToken(text));
    const tokens = { admin: await digestToken(admin), read: await digestOf(read) };
    const app = serve({ unready: null, runtime, tokens });
    return (await app.raw("/api/session", { headers: { cookie } })).status;
  }

  test.each([
    ["an admin's session goes on under the same tokens", TOKEN, TOKEN, READ_TOKEN, 200],
    ["an admin's session ends with the admin token", TOKEN, OTHER, READ_TOKEN, 401],
    ["an admin's session goes on when the reading token is changed", TOKEN, TOKEN, OTHER, 200],
    ["a reader's session goes on under the same tokens", READ_TOKEN, TOKEN, READ_TOKEN, 200],
    ["a reader's session ends with the reading token", READ_TOKEN, TOKEN, OTHER, 401],
    ["a reader's session ends when there is no reading token any more", READ_TOKEN, TOKEN, null, 401],
    ["a reader's session ends with the admin token", READ_TOKEN, OTHER, READ_TOKEN, 401],
  ])("%s", async (_promise, token, admin, read, status) => {
    expect(await statusUnder(token, admin, read)).toBe(status);
  });
});
