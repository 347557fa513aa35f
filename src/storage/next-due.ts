/**
 * When the sweeps will have something to do, as far as the tables know: each part asks one index for its first row, with the
 * conditions of the sweep that it speaks for. What is not here has no time: messages that nobody was brought yet are found
 * by `matchMessages`, which has to have found none.
 */
import type { Retention } from "../engine/ports.ts";
import { IS_READ } from "./clean-up.ts";
import type { Db } from "./db.ts";
import { IS_SENT } from "./outbox.ts";

const firstRun = (status: string, time: string) =>
  `(select r.${time} from pawl.runs r where r.status = '${status}' and r.${time} is not null order by r.${time} limit 1)`;

/** Those of a run that is held or over wait for whoever resumes or revives it. */
const FIRST_BRANCH = `
  (select b.wake_at from pawl.branches b join pawl.runs r on r.tenant = b.tenant and r.id = b.run_id
    where b.wake_at is not null and r.status in ('ready', 'running', 'waiting') and r.phase = 'forward'
    order by b.wake_at limit 1)`;

const FIRST_BRANCH_LEASE = `
  (select b.lease_expires_at from pawl.branches b where b.lease_expires_at is not null order by b.lease_expires_at limit 1)`;

const FIRST_BULK = `
  (select b.next_at from pawl.bulk_actions b where b.status = 'running' order by b.next_at limit 1)`;

const FIRST_UNROUTED = `
  (select o.emitted_at from pawl.outbox o where o.routed_at is null order by o.seq limit 1)`;

/** Nobody takes what is on its way to a sink that is configured no more. */
const FIRST_SEND = `
  (select min(first.next_at) from unnest($1::text[]) k (sink) cross join lateral (
    select s.next_at from pawl.outbox_sends s where s.sink = k.sink and s.status = 'pending' order by s.next_at limit 1) first)`;

const FIRST_OLD_MESSAGE = `
  (select m.published_at + $2::float8 * interval '1 ms' from pawl.messages m where ${IS_READ} order by m.published_at limit 1)`;

const FIRST_OLD_EVENT = `
  (select o.emitted_at + $3::float8 * interval '1 ms' from pawl.outbox o where o.routed_at is not null and ${IS_SENT}
    order by o.emitted_at limit 1)`;

const NEXT_DUE = `
select ceil(extract(epoch from least(
    ${firstRun("ready", "wake_at")}, ${firstRun("waiting", "wake_at")}, ${firstRun("running", "lease_expires_at")},
    ${FIRST_BRANCH}, ${FIRST_BRANCH_LEASE}, ${FIRST_BULK}, ${FIRST_UNROUTED}, ${FIRST_SEND},
    ${FIRST_OLD_MESSAGE}, ${FIRST_OLD_EVENT}
  ) - pawl.clock()) * 1000)::float8 as due_in_ms`;

export async function nextDue(
  db: Db,
  sinks: readonly string[],
  { messageRetentionMs, eventRetentionMs }: Retention,
): Promise<number | null> {
  const params = [sinks, messageRetentionMs, eventRetentionMs];
  const [[row] = []] = await db.execute([{ text: NEXT_DUE, params }]);
  const dueInMs = (row?.due_in_ms ?? null) as number | null;
  return dueInMs === null ? null : Math.max(0, dueInMs);
}
