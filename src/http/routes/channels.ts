import { Hono } from "hono";
import * as z from "zod";
import { encode } from "../../engine/codec.ts";
import { publishMessage } from "../../runtime/publish-message.ts";
import { jsonBody } from "../body.ts";
import type { HttpEnv } from "../context.ts";
import { isUlid, pageOf } from "../cursor.ts";
import { text } from "../fields.ts";
import { labelOf } from "../label.ts";
import { nameCursorOf, namesQuery } from "../page-query.ts";

const MessageBody = z.strictObject({
  payload: z.unknown().optional(),
  id: text(1, 200).optional(),
  to: z.string().refine(isUlid, "must be the id of a run").optional(),
});

/** What runs tell each other by the way of channels, and a way to tell them something from outside. */
export const channels = new Hono<HttpEnv>()
  .get("/", namesQuery, async (c) => {
    const { limit, after } = c.req.valid("query");
    const { runtime, principal } = c.var;
    const rows = await runtime.reads.channels(principal.tenant, limit + 1, after);
    const { shown, nextCursor } = pageOf(rows, limit, nameCursorOf);
    return c.json({ channels: shown, nextCursor });
  })
  .post("/:name/messages", jsonBody(MessageBody), async (c) => {
    const channel = labelOf(c, "name");
    const { runtime, principal } = c.var;
    const { payload, id = runtime.uuid(), to = null } = c.req.valid("json");
    const encoded = encode(payload, `The message for channel "${channel}"`);
    await publishMessage(runtime, principal.tenant, { id, channel, payload: encoded, to });
    return c.json({ id }, 202);
  });
