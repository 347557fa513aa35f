/** Pawl's worker, under `wrangler dev` or in plain Miniflare, with the gateway that stands for Neon's proxy. */
import pg from "pg";
import { startGateway } from "../../scripts/gateway.ts";
import { migrate } from "../../scripts/migrate.ts";
import { type HostName, startHost, TOKEN } from "../host.ts";
import { settled, UNCOUNTED } from "../ledger.ts";
import type { Open } from "../system.ts";
import type { Work } from "../work.ts";

/** As many as one request may start. */
const BATCH = 500;

export const open: Open = async ({ host: hostName }, { url, tap }) => {
  await migrate(url);
  const gateway = await startGateway();
  const host = await startHost(hostName as HostName, url, await tap(gateway.host));
  const pool = new pg.Pool({ connectionString: url, max: 2 });
  pool.on("error", () => {});
  return {
    async run(work) {
      const ids = await start(host.url, work);
      const ms = await settled(
        pool,
        work.runs,
        `select count(*) filter (where status = 'completed')::int as done,
          (extract(epoch from max(finished_at) - min(created_at)) * 1000)::float8 as ms
        from pawl.runs where tenant = 'default' and id = any($1)`,
        [ids],
      );
      const marks = await marksOf(pool, ids, work);
      return { ms, steps: marks.length, marks };
    },
    tick: () => host.tick(),
    async close() {
      await host.stop();
      await Promise.all([gateway.stop(), pool.end()]);
    },
  };
};

/** Gives the ids of the runs. */
async function start(url: string, { runs, ...input }: Work): Promise<string[]> {
  const ids: string[] = [];
  for (let left = runs; left > 0; left -= BATCH) {
    const answer = await fetch(`${url}/api/workflows/sequence/runs:batch`, {
      method: "POST",
      headers: { authorization: `Bearer ${TOKEN}`, "content-type": "application/json" },
      body: JSON.stringify({ runs: Array.from({ length: Math.min(left, BATCH) }, () => ({ input })) }),
    });
    if (answer.status !== 201) throw new Error(`Starting runs gave ${answer.status}: ${await answer.text()}`);
    ids.push(...((await answer.json()) as { runs: { id: string }[] }).runs.map(({ id }) => id));
  }
  return ids;
}

/** When the journal says that a step was done. A body beside a sleep says it itself: what it gives is the time. */
async function marksOf(pool: pg.Pool, ids: readonly string[], { napMs }: Work): Promise<number[]> {
  const mark = napMs === undefined ? "extract(epoch from recorded_at) * 1000" : "output::text";
  const { rows } = await pool.query<{ mark: number }>(
    `${UNCOUNTED} select (${mark})::float8 as mark from pawl.journal
      where tenant = 'default' and run_id = any($1) and kind = 'step' and outcome = 'completed' order by run_id, seq`,
    [ids],
  );
  return rows.map((row) => row.mark);
}
