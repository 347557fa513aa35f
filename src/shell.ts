/**
 * The dashboard's page: one document for every path under `/dashboard/`, which the script in it reads. It holds nothing of
 * anybody's, so it is public; what it shows comes from the API.
 */
import type { Env } from "./env.ts";

/** Scripts, styles and images of our own, requests to ourselves, and nothing besides. */
const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self'",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
  "require-trusted-types-for 'script'",
  "trusted-types 'none'",
].join("; ");

const HEADERS = {
  "Content-Type": "text/html; charset=utf-8",
  // It names the files of one deployment: a stored one would name those of another.
  "Cache-Control": "no-store",
  "Content-Security-Policy": POLICY,
  "Strict-Transport-Security": "max-age=31536000",
  "X-Content-Type-Options": "nosniff",
  "Referrer-Policy": "no-referrer",
  "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
  "Cross-Origin-Opener-Policy": "same-origin",
  "Cross-Origin-Resource-Policy": "same-origin",
} as const;

const PAGES = /^\/dashboard(\/|$)/;

/** The page, or null for what is no page of the dashboard. */
export async function shell(request: Request, env: Pick<Env, "ASSETS">): Promise<Response | null> {
  const isRead = request.method === "GET" || request.method === "HEAD";
  const { pathname, origin } = new URL(request.url);
  if (env.ASSETS === undefined || !isRead || !PAGES.test(pathname)) return null;
  const page = await env.ASSETS.fetch(new URL("/", origin));
  const body = request.method === "HEAD" ? null : page.body;
  return new Response(body, { status: page.ok ? 200 : 503, headers: HEADERS });
}
