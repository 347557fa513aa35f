/**
 * I4: the members' runs are locked before the signal is inserted, in a statement of its own and in ascending order
 * (I11). A group may be large: its members are taken in shares, in the order of their ids.
 */
import type { GroupShare, NewSignal } from "../engine/ports.ts";
import type { GroupMember } from "../engine/reads.ts";
import type { RunStatus } from "../engine/run.ts";
import { bump } from "./bump.ts";
import type { Db } from "./db.ts";

const MEMBERS = `
select m.run_id, pawl.ms(m.joined_at) as joined_at, r.workflow, r.status
from pawl.run_groups m join pawl.runs r on r.tenant = m.tenant and r.id = m.run_id
where m.tenant = $1 and m.name = $2 and m.run_id > $3
order by m.run_id
limit $4`;

const LOCK = `
with share as materialized (
  select m.tenant, m.run_id from pawl.run_groups m
  where m.tenant = $1 and m.name = $2 and m.run_id > $3
  order by m.run_id
  limit $4
),
locked as materialized (
  select r.tenant, r.id from share m join pawl.runs r on r.tenant = m.tenant and r.id = m.run_id
  order by r.tenant, r.id
  for update of r
)
select (select max(run_id) from share) as last, (select count(*)::int from share) as taken,
  set_config('pawl.committed',
    (select coalesce(jsonb_agg(jsonb_build_array(tenant, id)), '[]')::text from locked), true) as refs`;

/** Who left the group meanwhile gets nothing. A dead run keeps what arrives: it may be revived. */
const SIGNAL = `
with members as materialized (
  select r.tenant, r.id as run_id from pawl.committed() c
  join pawl.runs r on r.tenant = c.tenant and r.id = c.run_id
  join pawl.run_groups m on m.tenant = r.tenant and m.run_id = r.id and m.name = $1
  where r.status in ('ready', 'running', 'waiting', 'paused', 'dead')
),
delivered as (
  insert into pawl.deliveries (tenant, run_id, kind, name, outcome, payload, payload_meta, dedupe_id, arrived_at)
  select m.tenant, m.run_id, 'signal', $2, 'completed', $3::jsonb -> 'json', nullif($3::jsonb -> 'meta', 'null'), $4,
    pawl.clock()
  from members m
  on conflict do nothing
  returning tenant, run_id
),
bumped as (${bump("delivered")})
select m.tenant, m.run_id as id, coalesce(b.due, false) as due
from members m left join bumped b on b.tenant = m.tenant and b.id = m.run_id`;

/** In the order of their ids, those after `after`; the empty text begins. */
export async function listMembers(
  db: Db,
  tenant: string,
  group: string,
  limit: number,
  after: string,
): Promise<GroupMember[]> {
  const [rows = []] = await db.execute([{ text: MEMBERS, params: [tenant, group, after, limit] }]);
  return (rows as { run_id: string; joined_at: number; workflow: string; status: RunStatus }[]).map(
    ({ run_id, joined_at, workflow, status }) => ({ runId: run_id, workflow, status, joinedAt: joined_at }),
  );
}

/** The members after `after`, at most `limit`. */
export async function signalGroup(
  db: Db,
  tenant: string,
  group: string,
  { name, payload, id }: Omit<NewSignal, "runId">,
  after: string,
  limit: number,
): Promise<GroupShare> {
  const [shares = [], rows = []] = await db.execute([
    { text: LOCK, params: [tenant, group, after, limit] },
    { text: SIGNAL, params: [group, name, JSON.stringify(payload), id] },
  ]);
  const { last, taken } = shares[0] as { last: string | null; taken: number };
  const signalled = rows as { tenant: string; id: string; due: boolean }[];
  return {
    signalled: signalled.length,
    due: signalled
      .filter(({ due }) => due)
      .map((row) => ({ tenant: row.tenant, runId: row.id, wakeInMs: 0 })),
    next: taken < limit ? null : last,
  };
}
