import type { Awaited, AwaitedName, WaitFilter, WaitingRun, WaitPosition } from "../../engine/overview.ts";
import { hookSignal } from "../../engine/plan/steps.ts";
import type { RunStatus } from "../../engine/run.ts";
import type { Db } from "../db.ts";

const HOOK = hookSignal("");

/** How many waits are counted, and how many names are shown. */
const LOOK = 10_000;
const NAMES = 100;

/** A hook's caller is a signal of a name that no other can have. */
const KIND = `case when w.kind = 'signal' and right(w.name, ${HOOK.length}) = '${HOOK}' then 'hook' else w.kind end`;
const NAME = `case when ${KIND} = 'hook' then left(w.name, -${HOOK.length}) else w.name end`;

const LIST = `
select w.run_id, r.workflow, r.status, w.key, ${KIND} as kind, ${NAME} as name, pawl.ms(w.begun_at) as begun_at,
  pawl.ms(w.due_at) as due_at
from pawl.waits w join pawl.runs r on r.tenant = w.tenant and r.id = w.run_id
where w.tenant = $1 and r.finished_at is null
  and ($2::text is null or (w.kind = case $2 when 'hook' then 'signal' else $2 end and ${KIND} = $2))
  and ($3::text is null or w.name = $3 || case when $2 = 'hook' then '${HOOK}' else '' end)
  and ($4::text is null or (w.run_id, w.key) < ($4, $5))
order by w.run_id desc, w.key desc limit $6`;

const NAMED = `
with open as materialized (
  select w.kind, w.name, w.begun_at from pawl.waits w join pawl.runs r on r.tenant = w.tenant and r.id = w.run_id
  where w.tenant = $1 and r.finished_at is null limit ${LOOK + 1}
)
select ${KIND} as kind, ${NAME} as name, count(*)::int as count, pawl.ms(min(w.begun_at)) as oldest_at,
  (select count(*)::int from open) as seen
from open w group by 1, 2 order by count(*) desc, min(w.begun_at), 1, 2 limit ${NAMES}`;

interface WaitRow {
  readonly run_id: string;
  readonly workflow: string;
  readonly status: RunStatus;
  readonly key: string;
  readonly kind: Awaited;
  readonly name: string;
  readonly begun_at: number;
  readonly due_at: number | null;
}

interface NameRow {
  readonly kind: Awaited;
  readonly name: string;
  readonly count: number;
  readonly oldest_at: number;
  /** How many waits were looked at in all. */
  readonly seen: number;
}

export async function listWaits(
  db: Db,
  tenant: string,
  { kind, name }: WaitFilter,
  limit: number,
  after: WaitPosition | null,
): Promise<WaitingRun[]> {
  const params = [tenant, kind ?? null, name ?? null, after?.runId ?? null, after?.key ?? null, limit];
  const [rows = []] = await db.execute([{ text: LIST, params }]);
  return (rows as unknown as WaitRow[]).map(
    ({ run_id: runId, begun_at: begunAt, due_at: dueAt, ...rest }) => {
      return { ...rest, runId, begunAt, dueAt };
    },
  );
}

export async function countAwaited(
  db: Db,
  tenant: string,
): Promise<{ readonly names: readonly AwaitedName[]; readonly exact: boolean }> {
  const [rows = []] = await db.execute([{ text: NAMED, params: [tenant] }]);
  const found = rows as unknown as NameRow[];
  const names = found.map(({ kind, name, count, oldest_at: oldestAt }) => {
    return { kind, name, count: Math.min(count, LOOK), oldestAt };
  });
  return { names, exact: (found[0]?.seen ?? 0) <= LOOK };
}
