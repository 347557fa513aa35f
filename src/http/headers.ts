import type { MiddlewareHandler } from "hono";
import type { HttpEnv } from "./context.ts";
import { answerError } from "./errors.ts";

/** On every answer, errors included. No CORS header is among them: browsers of other origins get nothing. */
const SECURITY_HEADERS = {
  "Strict-Transport-Security": "max-age=31536000",
  "X-Content-Type-Options": "nosniff",
  "Referrer-Policy": "no-referrer",
  "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
  "Cross-Origin-Opener-Policy": "same-origin",
  "Cache-Control": "no-store",
  "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
} as const;

/** The outermost middleware: gives the request its id (never the caller's) and the answer its headers. */
export const identify: MiddlewareHandler<HttpEnv> = async (c, next) => {
  c.set("requestId", crypto.randomUUID());
  try {
    await next();
  } catch (thrown) {
    // Hono's onError sees only Errors: a user's schema may throw anything.
    const error =
      thrown instanceof Error ? thrown : new Error("something threw what is not an Error", { cause: thrown });
    c.res = answerError(error, c);
  }
  for (const [name, value] of Object.entries(SECURITY_HEADERS)) c.res.headers.set(name, value);
  c.res.headers.set("X-Request-Id", c.var.requestId);
};
