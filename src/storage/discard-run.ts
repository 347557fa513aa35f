import type { DiscardResult } from "../engine/ports.ts";
import type { RunRef, RunStatus } from "../engine/run.ts";
import type { Db } from "./db.ts";

const DISCARD = `
update pawl.runs set discarded_at = coalesce(discarded_at, pawl.clock())
where tenant = $1 and id = $2 and status in ('failed', 'dead')
returning id`;

const STATUS = "select status from pawl.runs where tenant = $1 and id = $2";

/** Takes a run off the list of dead letters; its status stays. Doing it twice is fine. */
export async function discardRun(db: Db, { tenant, runId }: RunRef): Promise<DiscardResult> {
  const params = [tenant, runId];
  const [discarded = [], found = []] = await db.execute([
    { text: DISCARD, params },
    { text: STATUS, params },
  ]);
  if (discarded.length > 0) return "discarded";
  return (found[0]?.status as RunStatus | undefined) ?? "not_found";
}
