/**
 * Deny by default. A request needs the token unless the route that will answer it is public: the router
 * decides which one that is, so no spelling of a URL can differ between this check and the answer.
 */
import type { Context, MiddlewareHandler } from "hono";
import { matchedRoutes } from "hono/route";
import type { HttpEnv } from "./context.ts";
import { Unauthorized } from "./refusals.ts";

const PUBLIC_ROUTES: ReadonlySet<string> = new Set(["GET /healthz", "POST /hooks/:token"]);

/** One token, of visible characters; a comma would mean that there were two headers. */
const BEARER = /^Bearer ([\x21-\x2b\x2d-\x7e]+)$/;

const utf8 = new TextEncoder();

/** The root's gatekeeper: leaves a principal, or throws `Unauthorized`. */
export const authenticate: MiddlewareHandler<HttpEnv> = async (c, next) => {
  if (!isPublic(c)) {
    const token = BEARER.exec(c.req.header("authorization") ?? "")?.[1];
    const valid = token !== undefined && isSameDigest(await digestToken(token), c.var.adminTokenDigest);
    if (!valid) throw new Unauthorized();
    c.set("principal", { tenant: "default" });
  }
  await next();
};

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

function isPublic(c: Context<HttpEnv>): boolean {
  const answering = matchedRoutes(c).find((route) => route.method !== "ALL");
  return answering !== undefined && PUBLIC_ROUTES.has(`${answering.method} ${answering.path}`);
}
