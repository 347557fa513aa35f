/** W1 to W4: what is started, and what the database's own timestamps say of it. */
import { setTimeout as sleep } from "node:timers/promises";
import type pg from "pg";
import { TOKEN } from "./host.ts";

export interface Bed {
  readonly url: string;
  readonly pool: pg.Pool;
}

/** One run of 20 no-op steps, alone: milliseconds per step, from start to completion. */
export async function w1(bed: Bed): Promise<number> {
  const steps = 20;
  return (await finished(bed, await start(bed, 1, steps))) / steps;
}

/** 1,000 runs of 5 no-op steps, all started up front: steps per second from first start to last completion. */
export async function w2(bed: Bed): Promise<number> {
  const [runs, steps] = [1_000, 5];
  return (runs * steps * 1_000) / (await finished(bed, await start(bed, runs, steps)));
}

/** One run with 200 no-op steps side by side: milliseconds from start to completion. */
export async function w3(bed: Bed): Promise<number> {
  return finished(bed, await start(bed, 1, 200, "parallel"));
}

/** One run of many no-op steps, one after the other: milliseconds per step early and late, each over 100 steps. */
export async function w4(bed: Bed, steps: number): Promise<{ early: number; late: number }> {
  const [id] = await start(bed, 1, steps);
  await finished(bed, [id ?? ""]);
  const { rows } = await bed.pool.query<{ early: number; late: number }>(
    `with gaps as (
      select seq, extract(epoch from recorded_at - lag(recorded_at) over (order by seq)) * 1000 as ms
      from pawl.journal where tenant = 'default' and run_id = $1)
    select percentile_cont(0.5) within group (order by ms) filter (where seq between 10 and 110) as early,
      percentile_cont(0.5) within group (order by ms) filter (where seq > $2 - 100) as late from gaps`,
    [id, steps],
  );
  return rows[0] ?? { early: Number.NaN, late: Number.NaN };
}

/** Gives the ids of the runs. */
async function start({ url }: Bed, runs: number, steps: number, workflow = "sequence"): Promise<string[]> {
  const ids: string[] = [];
  for (let left = runs; left > 0; left -= 500) {
    const body = JSON.stringify({
      runs: Array.from({ length: Math.min(left, 500) }, () => ({ input: { steps } })),
    });
    const answer = await fetch(`${url}/api/workflows/${workflow}/runs:batch`, {
      method: "POST",
      headers: { authorization: `Bearer ${TOKEN}`, "content-type": "application/json" },
      body,
    });
    if (answer.status !== 201) throw new Error(`Starting runs gave ${answer.status}: ${await answer.text()}`);
    ids.push(...((await answer.json()) as { runs: { id: string }[] }).runs.map(({ id }) => id));
  }
  return ids;
}

/** Milliseconds from the first start to the last completion, once all of them are completed. */
async function finished({ pool }: Bed, ids: readonly string[]): Promise<number> {
  for (;;) {
    const { rows } = await pool.query<{ done: number; ms: number }>(
      `select count(*) filter (where status = 'completed')::int as done,
        (extract(epoch from max(finished_at) - min(created_at)) * 1000)::float8 as ms
      from pawl.runs where tenant = 'default' and id = any($1)`,
      [ids],
    );
    const [row] = rows;
    if (row !== undefined && row.done === ids.length) return row.ms;
    await sleep(50);
  }
}
