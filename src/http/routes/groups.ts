import { Hono } from "hono";
import { encode } from "../../engine/codec.ts";
import { signalGroup } from "../../runtime/signal-group.ts";
import { jsonBody } from "../body.ts";
import type { HttpEnv } from "../context.ts";
import { pageOf } from "../cursor.ts";
import { labelOf } from "../label.ts";
import { membersQuery } from "../page-query.ts";
import { iso } from "../present.ts";
import { SignalBody } from "../start-body.ts";

/** Runs that joined a group, and signalling them all. A group that nobody is in is an empty one. */
export const groups = new Hono<HttpEnv>()
  .get("/:name", membersQuery, async (c) => {
    const { limit, after } = c.req.valid("query");
    const { runtime, principal } = c.var;
    const rows = await runtime.reads.groupMembers(principal.tenant, labelOf(c, "name"), limit + 1, after);
    const { shown, nextCursor } = pageOf(rows, limit, (member) => member.runId);
    const members = shown.map(({ runId, workflow, status, joinedAt }) => ({
      id: runId,
      workflow,
      status,
      joinedAt: iso(joinedAt),
    }));
    return c.json({ members, nextCursor });
  })
  .post("/:name/signals/:signal", jsonBody(SignalBody), async (c) => {
    const [group, name] = [labelOf(c, "name"), labelOf(c, "signal")];
    const { payload, id = null } = c.req.valid("json");
    const encoded = encode(payload, `The payload of signal "${name}"`);
    const { runtime, principal } = c.var;
    const signalled = await signalGroup(runtime, principal.tenant, group, { name, payload: encoded, id });
    return c.json({ signalled }, 202);
  });
