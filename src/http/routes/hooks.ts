import { Hono, type MiddlewareHandler } from "hono";
import * as z from "zod";
import { receiveHook } from "../../runtime/receive-hook.ts";
import { jsonBody } from "../body.ts";
import type { HttpEnv } from "../context.ts";

type Body = { in: { json: unknown }; out: { json: unknown } };

const withBody = jsonBody(z.unknown());

/** Whoever is called may have nothing to say: no body is null. */
const anyJson: MiddlewareHandler<HttpEnv, string, Body> = async (c, next) => {
  const { body, headers } = c.req.raw;
  if (body !== null && headers.get("content-length") !== "0") return withBody(c, next);
  c.req.addValidatedData("json", null as never);
  return next();
};

/** Public: the token in the path is the permission. Nothing of it is answered or told. */
export const hooks = new Hono<HttpEnv>().post("/:token", anyJson, async (c) => {
  await receiveHook(c.var.runtime, c.req.param("token"), c.req.valid("json"));
  return c.json({ received: true } as const, 202);
});
