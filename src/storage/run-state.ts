import type { Json } from "../engine/codec.ts";
import type { StateLine } from "../engine/reads.ts";
import type { RunRef } from "../engine/run.ts";
import type { Db } from "./db.ts";

const RUN = "select r.id from pawl.runs r where r.tenant = $1 and r.id = $2";

const STATE = `
select s.key, s.value, pawl.ms(s.updated_at) as updated_at
from pawl.run_state s
where s.tenant = $1 and s.run_id = $2 and ($3::text is null or s.key = $3)
order by s.key`;

/** What a run shows of itself, under all keys or the one; null when there is no such run. */
export async function readState(
  db: Db,
  { tenant, runId }: RunRef,
  key: string | null,
): Promise<StateLine[] | null> {
  const [found = [], lines = []] = await db.execute([
    { text: RUN, params: [tenant, runId] },
    { text: STATE, params: [tenant, runId, key] },
  ]);
  if (found.length === 0) return null;
  const rows = lines as unknown as { key: string; value: Json; updated_at: number }[];
  return rows.map((row) => ({ key: row.key, value: row.value, updatedAt: row.updated_at }));
}
