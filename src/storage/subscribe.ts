/**
 * Whoever subscribes waits for whoever is publishing: the cursor then stands behind every message that was published
 * before, and no later message can have a smaller id.
 *
 * I11: the run is locked before the channel that it listens to.
 */
import { ChannelModeConflict } from "../engine/refusals.ts";
import type { RunRef } from "../engine/run.ts";
import type { ChannelMode } from "../engine/workflow.ts";
import type { Db } from "./db.ts";

/** The end of a run takes its subscriptions away: none may be added behind its back. */
const LOCK_RUN = `
select r.id from pawl.runs r
where r.tenant = $1 and r.id = $2 and r.status in ('ready', 'running', 'waiting', 'paused')
for update of r`;

const LIVE_RUN = `
from pawl.runs r where r.tenant = $1 and r.id = $2 and r.status in ('ready', 'running', 'waiting', 'paused')`;

const CREATE_CHANNEL = `
insert into pawl.channels as h (tenant, name, mode)
select r.tenant, $3, $4 ${LIVE_RUN}
on conflict (tenant, name) do update set mode = excluded.mode where h.mode is null`;

const LOCK_CHANNEL = "select h.mode from pawl.channels h where h.tenant = $1 and h.name = $2 for share of h";

const SUBSCRIBE = `
insert into pawl.subscriptions (tenant, channel, run_id, cursor, subscribed_at)
select r.tenant, h.name, r.id,
  case when h.mode = 'broadcast' then coalesce((select max(m.id) from pawl.messages m
    where m.tenant = h.tenant and m.channel = h.name), 0) else 0 end,
  pawl.clock()
from pawl.runs r join pawl.channels h on h.tenant = r.tenant
where r.tenant = $1 and r.id = $2 and r.status in ('ready', 'running', 'waiting', 'paused')
  and h.name = $3 and h.mode = $4
on conflict do nothing`;

const UNSUBSCRIBE = "delete from pawl.subscriptions where tenant = $1 and run_id = $2 and channel = $3";

/** Does nothing for a run that is over. A second time changes nothing: the cursor stays where it is. */
export async function subscribe(
  db: Db,
  { tenant, runId }: RunRef,
  channel: string,
  mode: ChannelMode,
): Promise<void> {
  const params = [tenant, runId, channel, mode];
  const [live = [], , locked = []] = await db.execute([
    { text: LOCK_RUN, params: [tenant, runId] },
    { text: CREATE_CHANNEL, params },
    { text: LOCK_CHANNEL, params: [tenant, channel] },
    { text: SUBSCRIBE, params },
  ]);
  const used = locked[0]?.mode as ChannelMode | undefined;
  if (live.length > 0 && used !== undefined && used !== mode) {
    throw ChannelModeConflict.mode(channel, used, mode);
  }
}

/** What was brought to the run before is the run's; from now on it is brought nothing. */
export async function unsubscribe(db: Db, { tenant, runId }: RunRef, channel: string): Promise<void> {
  await db.execute([
    { text: LOCK_RUN, params: [tenant, runId] },
    { text: UNSUBSCRIBE, params: [tenant, runId, channel] },
  ]);
}
