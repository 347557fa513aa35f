import type { MiddlewareHandler } from "hono";
import type { HttpEnv } from "./context.ts";

/** Whoever may change something has the cron look after it, whatever becomes of its wake-ups. Signing in changes nothing. */
export const markChanges: MiddlewareHandler<HttpEnv> = async (c, next) => {
  const { method } = c.req;
  if (method === "GET" || method === "HEAD") return next();
  const { runtime } = c.var;
  await runtime.marks.during(runtime, next);
};
