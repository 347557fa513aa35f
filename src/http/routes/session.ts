import { type Context, Hono } from "hono";
import * as z from "zod";
import { roleOfToken } from "../auth.ts";
import { jsonBody, noBody } from "../body.ts";
import type { HttpEnv, Role } from "../context.ts";
import { text } from "../fields.ts";
import { isoOrNull } from "../present.ts";
import { CrossOrigin, TooManySignIns, Unauthorized } from "../refusals.ts";
import { beginSession, endSession, isOwnRequest } from "../session.ts";

const SignInBody = z.strictObject({ token: text(0, 1_000) });

/** Signing in and out of the dashboard. Signing in is public: the token in the body is the permission. */
export const session = new Hono<HttpEnv>()
  .get("/", (c) => {
    const { role, sessionExpiresAt } = c.var.principal;
    return c.json(present(c, role, sessionExpiresAt));
  })
  .post("/", jsonBody(SignInBody), async (c) => {
    // Nobody but this deployment's own page signs a browser in: a stranger's page could do it under another token.
    if (c.req.header("origin") !== undefined && !isOwnRequest(c.req.raw)) throw new CrossOrigin();
    const address = addressOf(c);
    const waitMs = c.var.signIns.take(address, c.var.runtime.clock.now());
    if (waitMs > 0) throw new TooManySignIns(waitMs);
    const role = await roleOfToken(c.req.valid("json").token, c.var.tokens);
    if (role === null) throw new Unauthorized();
    c.var.signIns.giveBack(address);
    const { expiresAt } = await beginSession(c, role);
    return c.json(present(c, role, expiresAt));
  })
  .delete("/", noBody, (c) => {
    endSession(c);
    return c.json({ signedOut: true } as const);
  });

/** Cloudflare says it, whatever the caller claims; elsewhere all are one. */
function addressOf(c: Context<HttpEnv>): string {
  return c.req.header("cf-connecting-ip") ?? "";
}

/** What the caller may do, and until when. */
function present(c: Context<HttpEnv>, role: Role, expiresAt: number | null) {
  return { role, expiresAt: isoOrNull(expiresAt), deployment: c.var.runtime.deployment };
}
