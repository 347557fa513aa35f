import type { Moved } from "../engine/ports.ts";
import type { RunRef, RunStatus } from "../engine/run.ts";
import type { Db, Row } from "./db.ts";
import { LIVE_TREE, LOCK_TREE, tree } from "./tree.ts";

/** What runs now may end its turn; the commit of that turn parks it. */
const PAUSE = `
with recursive ${LIVE_TREE}
update pawl.runs r
set paused_at = pawl.clock(), status = case when r.status = 'running' then r.status else 'paused' end,
  wake_at = null, wake_up_sent_at = null
from tree t
where r.tenant = t.tenant and r.id = t.id and r.status in ('ready', 'running', 'waiting') and r.paused_at is null
returning r.tenant, r.id`;

const HELD_TREE = tree("paused_at is not null and status in ('running', 'paused')");

/** When a resumed run is due: at once, unless it is still to begin, and never after its deadline. */
const DUE = `least(case r.phase when 'forward' then r.deadline_at end,
    greatest(pawl.clock(), case when r.started_at is null then r.starts_at end))`;

/** Everything that came meanwhile was kept: the next turn takes it. */
const RESUME = `
with recursive ${HELD_TREE}
update pawl.runs r
set paused_at = null, status = case when r.status = 'paused' then 'ready' else r.status end,
  wake_at = case when r.status = 'paused' then ${DUE} end,
  wake_up_sent_at = case when r.status = 'paused' and ${DUE} < pawl.clock() + interval '1 day' then pawl.clock() end
from tree t
where r.tenant = t.tenant and r.id = t.id and r.paused_at is not null and r.status in ('running', 'paused')
returning r.tenant, r.id, null as branch,
  greatest(0, ceil(extract(epoch from coalesce(r.wake_at, pawl.clock()) - pawl.clock()) * 1000))::float8 as wake_in_ms`;

/** Branches that were left alone meanwhile. Before the runs, of which nothing shows afterwards that they were held. */
const BRANCHES = `
with recursive ${HELD_TREE}
update pawl.branches b set wake_up_sent_at = pawl.clock()
from tree t
where b.tenant = t.tenant and b.run_id = t.id and b.wake_at < pawl.clock() + interval '1 day'
returning b.tenant, b.run_id as id, b.key as branch,
  greatest(0, ceil(extract(epoch from b.wake_at - pawl.clock()) * 1000))::float8 as wake_in_ms`;

interface Found {
  root: boolean;
  status: RunStatus;
  paused: boolean;
}

/** A person holds the run and its descendants: nothing is claimed until they are resumed. */
export async function pauseRun(db: Db, { tenant, runId }: RunRef): Promise<Moved> {
  const params = [tenant, runId];
  const [found = [], moved = []] = await db.execute([
    { text: LOCK_TREE, params },
    { text: PAUSE, params },
  ]);
  return { result: resultOf(found, moved, runId, (root) => root.paused), due: [] };
}

export async function resumeRun(db: Db, { tenant, runId }: RunRef): Promise<Moved> {
  const params = [tenant, runId];
  const [found = [], branches = [], moved = []] = await db.execute([
    { text: LOCK_TREE, params },
    { text: BRANCHES, params },
    { text: RESUME, params },
  ]);
  const result = resultOf(found, moved, runId, () => false);
  if (result !== "moved") return { result, due: [] };
  const rows = [...moved, ...branches] as {
    tenant: string;
    id: string;
    branch: string | null;
    wake_in_ms: number;
  }[];
  const due = rows.map(({ tenant, id, branch, wake_in_ms }) => ({
    tenant,
    runId: id,
    wakeInMs: wake_in_ms,
    branch: branch ?? undefined,
  }));
  return { result, due };
}

function resultOf(
  found: readonly Row[],
  moved: readonly Row[],
  runId: string,
  isSo: (root: Found) => boolean,
): Moved["result"] {
  const root = (found as unknown as Found[]).find((row) => row.root);
  if (root === undefined) return "not_found";
  if (moved.some(({ id }) => id === runId)) return "moved";
  return isSo(root) ? "unchanged" : root.status;
}
