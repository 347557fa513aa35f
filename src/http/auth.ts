/**
 * Deny by default. A request needs a token, or the session that a browser got for one, unless the route that will answer
 * it is public: the router decides which one that is, so no spelling of a URL can differ between this check and the answer.
 */
import type { Context, MiddlewareHandler } from "hono";
import { matchedRoutes } from "hono/route";
import type { HttpEnv, Principal, Role, TokenDigests } from "./context.ts";
import { CrossOrigin, ReadOnly, Unauthorized } from "./refusals.ts";
import { isOwnRequest, readSession } from "./session.ts";

const PUBLIC_ROUTES: ReadonlySet<string> = new Set([
  "GET /healthz",
  "POST /hooks/:token",
  "POST /api/session",
]);

/** Besides what is only read. */
const READERS_ROUTES: ReadonlySet<string> = new Set(["DELETE /api/session"]);

/** One token, of visible characters; a comma would mean that there were two headers. */
const BEARER = /^Bearer ([\x21-\x2b\x2d-\x7e]+)$/;

const utf8 = new TextEncoder();

/** The root's gatekeeper: leaves a principal, or throws `Unauthorized`, `CrossOrigin` or `ReadOnly`. */
export const authenticate: MiddlewareHandler<HttpEnv> = async (c, next) => {
  const route = answeringRoute(c);
  if (!PUBLIC_ROUTES.has(route)) {
    const principal = await identifyCaller(c);
    if (principal.role === "read" && !isReading(c.req.method) && !READERS_ROUTES.has(route))
      throw new ReadOnly();
    c.set("principal", principal);
  }
  await next();
};

/** What a token lets its bearer do; null for a token that is none. */
export async function roleOfToken(token: string, { admin, read }: TokenDigests): Promise<Role | null> {
  const digest = await digestToken(token);
  const isAdmin = isSameDigest(digest, admin);
  const isReader = read !== null && isSameDigest(digest, read);
  if (isAdmin) return "admin";
  return isReader ? "read" : null;
}

/** SHA-256 of a token: 32 bytes whatever its length, so that comparing says nothing about it. */
export async function digestToken(token: string): Promise<Uint8Array> {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", utf8.encode(token)));
}

/** Looks at every byte wherever the first difference is. (Only workerd has `timingSafeEqual`.) */
export function isSameDigest(a: Uint8Array, b: Uint8Array): boolean {
  let difference = a.length ^ b.length;
  for (let i = 0; i < 32; i++) difference |= (a[i] ?? 0) ^ (b[i] ?? 0);
  return difference === 0 && a.length === 32;
}

/** Whoever shows a header is known by that alone; the cookie counts only where there is none. */
async function identifyCaller(c: Context<HttpEnv>): Promise<Principal> {
  const header = c.req.header("authorization");
  if (header === undefined) {
    const session = await readSession(c);
    if (session === null) throw new Unauthorized();
    if (!isOwnRequest(c.req.raw)) throw new CrossOrigin();
    return { tenant: "default", role: session.role, sessionExpiresAt: session.expiresAt };
  }
  const token = BEARER.exec(header)?.[1];
  const role = token === undefined ? null : await roleOfToken(token, c.var.tokens);
  if (role === null) throw new Unauthorized();
  return { tenant: "default", role, sessionExpiresAt: null };
}

function isReading(method: string): boolean {
  return method === "GET" || method === "HEAD";
}

/** Method and pattern of the route that will answer; empty when none will. */
function answeringRoute(c: Context<HttpEnv>): string {
  const answering = matchedRoutes(c).find((route) => route.method !== "ALL");
  return answering === undefined ? "" : `${answering.method} ${answering.path}`;
}
