import type { DueRun, Word } from "../engine/ports.ts";
import type { RunRef } from "../engine/run.ts";
import { bump, LOCK_RUNS } from "./bump.ts";
import type { Db } from "./db.ts";

/** What a person knows of an at-most-once step, once: the first word counts. */
const DELIVER = `
with delivered as (
  insert into pawl.deliveries (tenant, run_id, kind, name, outcome, payload, payload_meta, dedupe_id, arrived_at)
  select w.tenant, w.run_id, 'person', w.key, $4, $5::jsonb -> 'json', nullif($5::jsonb -> 'meta', 'null'), 'word', pawl.clock()
  from pawl.waits w join pawl.runs r on r.tenant = w.tenant and r.id = w.run_id
  where w.tenant = $1 and w.run_id = $2 and w.key = $3 and w.kind = 'person'
    and r.status in ('ready', 'running', 'waiting', 'paused', 'dead')
  on conflict do nothing
  returning tenant, run_id
),
bumped as (${bump("delivered")})
select d.tenant, d.run_id as id, b.due from delivered d left join bumped b on b.tenant = d.tenant and b.id = d.run_id`;

/** `found` is false when the run waits for no word on that step, or has been given one. */
export async function deliverWord(
  db: Db,
  { tenant, runId }: RunRef,
  key: string,
  word: Word,
): Promise<{ found: boolean; due: DueRun[] }> {
  const output = word.outcome === "completed" && word.output !== null ? JSON.stringify(word.output) : null;
  const [, delivered = []] = await db.execute([
    { text: LOCK_RUNS, params: [JSON.stringify([{ tenant, runId }])] },
    { text: DELIVER, params: [tenant, runId, key, word.outcome, output] },
  ]);
  const due = delivered.some((row) => row.due === true) ? [{ tenant, runId, wakeInMs: 0 }] : [];
  return { found: delivered.length > 0, due };
}
