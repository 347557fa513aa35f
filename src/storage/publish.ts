/**
 * Whoever publishes holds the row of the channel until the commit, in a statement of its own: the ids of messages
 * become visible in their order, and no cursor passes one that is still on its way.
 */

import type { NewMessage } from "../engine/ports.ts";
import { ChannelModeConflict } from "../engine/refusals.ts";
import type { ChannelMode } from "../engine/workflow.ts";
import type { Db } from "./db.ts";

/** A message that names nobody says nothing of the mode. */
const CREATE_CHANNEL = `
insert into pawl.channels as h (tenant, name, mode) values ($1, $2, $3)
on conflict (tenant, name) do update set mode = excluded.mode where h.mode is null and excluded.mode is not null`;

const LOCK_CHANNEL = "select h.mode from pawl.channels h where h.tenant = $1 and h.name = $2 for update of h";

const PUBLISH = `
insert into pawl.messages (tenant, channel, dedupe_id, payload, payload_meta, to_run, published_at)
select h.tenant, h.name, $3, coalesce($4::jsonb -> 'json', 'null'), nullif($4::jsonb -> 'meta', 'null'), $5, pawl.clock()
from pawl.channels h
where h.tenant = $1 and h.name = $2 and (h.mode is not distinct from 'direct') = ($5::text is not null)
on conflict do nothing`;

/** The same id again is accepted and changes nothing. A channel that nobody has used yet is made by its first message. */
export async function publish(db: Db, tenant: string, message: NewMessage): Promise<void> {
  const { id, channel, payload, to } = message;
  const [, locked = []] = await db.execute([
    { text: CREATE_CHANNEL, params: [tenant, channel, to === null ? null : "direct"] },
    { text: LOCK_CHANNEL, params: [tenant, channel] },
    { text: PUBLISH, params: [tenant, channel, id, JSON.stringify(payload), to] },
  ]);
  const mode = locked[0]?.mode as ChannelMode | null;
  if (mode !== null && (mode === "direct") !== (to !== null))
    throw ChannelModeConflict.receiver(channel, mode);
}
