import { Hono, type MiddlewareHandler } from "hono";
import { receiveHook } from "../../runtime/receive-hook.ts";
import { anyJson } from "../body.ts";
import type { HttpEnv } from "../context.ts";

type Body = { in: { json: unknown }; out: { json: unknown } };

/** Whoever is called may have nothing to say: no body is null. */
const anyJsonOrNothing: MiddlewareHandler<HttpEnv, string, Body> = async (c, next) => {
  const { body, headers } = c.req.raw;
  if (body !== null && headers.get("content-length") !== "0") return anyJson(c, next);
  c.req.addValidatedData("json", null as never);
  return next();
};

/** Public: the token in the path is the permission. Nothing of it is answered or told. */
export const hooks = new Hono<HttpEnv>().post("/:token", anyJsonOrNothing, async (c) => {
  await receiveHook(c.var.runtime, c.req.param("token"), c.req.valid("json"));
  return c.json({ received: true } as const, 202);
});
