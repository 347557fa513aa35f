/**
 * Sessions of people in a browser: a cookie in place of the token. It holds no token and needs no table: what it says is
 * signed with a key that follows from the tokens, so a token that is changed ends every session that came of it.
 */
import type { Context } from "hono";
import { deleteCookie, getCookie, setCookie } from "hono/cookie";
import type { HttpEnv, Role, TokenDigests } from "./context.ts";

/** How long a session lasts, whatever is done with it. */
const SESSION_MS = 12 * 3_600_000;

/** Over plain HTTP no browser keeps a `__Host-` cookie; on the developer's own machine there is nothing to overhear. */
const COOKIE = "__Host-pawl";
const LOCAL_COOKIE = "pawl_local";
const OWN_MACHINE: ReadonlySet<string> = new Set(["localhost", "127.0.0.1", "[::1]"]);

const VALUE = /^(admin|read)\.([1-9]\d{12})\.([\w-]{43})$/;

const utf8 = new TextEncoder();

export interface Session {
  readonly role: Role;
  /** Milliseconds since 1970 by this worker's clock. */
  readonly expiresAt: number;
}

/** Signs in: sets the cookie. */
export async function beginSession(c: Context<HttpEnv>, role: Role): Promise<Session> {
  const expiresAt = c.var.runtime.clock.now() + SESSION_MS;
  const signature = await crypto.subtle.sign("HMAC", await keyOf(c.var.tokens, role), claim(role, expiresAt));
  const { name, secure } = cookieOf(c);
  setCookie(c, name, `${role}.${expiresAt}.${toBase64Url(signature)}`, {
    ...{ path: "/", httpOnly: true, secure, sameSite: "Strict" },
    maxAge: SESSION_MS / 1_000,
  });
  return { role, expiresAt };
}

/** Signs out: the browser forgets the cookie. */
export function endSession(c: Context<HttpEnv>): void {
  const { name, secure } = cookieOf(c);
  deleteCookie(c, name, { path: "/", secure });
}

/** The session that the request's cookie stands for; null without one, and for one that is forged, expired or of a token that was changed. */
export async function readSession(c: Context<HttpEnv>): Promise<Session | null> {
  const [, role, expiry, signature] = VALUE.exec(getCookie(c, cookieOf(c).name) ?? "") ?? [];
  if ((role !== "admin" && role !== "read") || expiry === undefined || signature === undefined) return null;
  if (role === "read" && c.var.tokens.read === null) return null;
  const expiresAt = Number(expiry);
  const key = await keyOf(c.var.tokens, role);
  const genuine = await crypto.subtle.verify("HMAC", key, fromBase64Url(signature), claim(role, expiresAt));
  return genuine && c.var.runtime.clock.now() < expiresAt ? { role, expiresAt } : null;
}

/**
 * Whether a request that brings the cookie comes from this API's own pages. Browsers name the origin of whatever may change
 * something; a request to change something that names none is refused.
 */
export function isOwnRequest({ method, url, headers }: Request): boolean {
  const site = headers.get("sec-fetch-site");
  if (method === "GET" || method === "HEAD")
    return site === null || site === "same-origin" || site === "none";
  const origin = headers.get("origin");
  if (origin === null) return site === "same-origin";
  return origin === new URL(url).origin && (site === null || site === "same-origin");
}

function cookieOf(c: Context<HttpEnv>): { readonly name: string; readonly secure: boolean } {
  const { protocol, hostname } = new URL(c.req.url);
  const local = protocol === "http:" && OWN_MACHINE.has(hostname);
  return local ? { name: LOCAL_COOKIE, secure: false } : { name: COOKIE, secure: true };
}

/** What is signed. It begins with what no other signature of this deployment does. */
function claim(role: Role, expiresAt: number): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(utf8.encode(`pawl session 1: ${role} until ${expiresAt}`));
}

/** Of both tokens where the session is a reader's: a new admin token ends all of them. */
async function keyOf({ admin, read }: TokenDigests, role: Role): Promise<CryptoKey> {
  const digests = [...admin, ...(role === "read" ? (read ?? []) : [])];
  const hmac = { name: "HMAC", hash: "SHA-256" };
  return crypto.subtle.importKey("raw", Uint8Array.from(digests), hmac, false, ["sign", "verify"]);
}

function toBase64Url(bytes: ArrayBuffer): string {
  const binary = String.fromCharCode(...new Uint8Array(bytes));
  return btoa(binary).replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "");
}

function fromBase64Url(text: string): Uint8Array<ArrayBuffer> {
  const binary = atob(text.replaceAll("-", "+").replaceAll("_", "/"));
  return Uint8Array.from(binary, (byte) => byte.charCodeAt(0));
}
