import type { Channel } from "../engine/reads.ts";
import type { Db } from "./db.ts";

/** Far more than anybody reads, and little enough to be counted for a page of channels. */
const COUNT_LIMIT = 10_000;

const LIST = `
select h.name, h.mode,
  (select count(*)::int from (select from pawl.subscriptions s
    where s.tenant = h.tenant and s.channel = h.name limit $4) s) as subscribers,
  (select count(*)::int from (select from pawl.waits w join pawl.runs r on r.tenant = w.tenant and r.id = w.run_id
    where w.tenant = h.tenant and w.kind = 'message' and w.name = h.name
      and r.status in ('ready', 'running', 'waiting', 'paused') limit $4) w) as waiting,
  (select count(*)::int from (select from pawl.messages m
    where m.tenant = h.tenant and m.channel = h.name and m.claimed_by is null limit $4) m) as messages
from pawl.channels h
where h.tenant = $1 and h.name > $2
order by h.name
limit $3`;

/** By name, those after `after`; the empty text begins. */
export async function listChannels(db: Db, tenant: string, limit: number, after: string): Promise<Channel[]> {
  const [rows = []] = await db.execute([{ text: LIST, params: [tenant, after, limit, COUNT_LIMIT] }]);
  return rows as unknown as Channel[];
}
