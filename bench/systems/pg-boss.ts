/** pg-boss: one job is one step, and each enqueues the next. */
import pg from "pg";
import { PgBoss } from "pg-boss";
import { Ledger, settled } from "../ledger.ts";
import { through } from "../measure/tap.ts";
import type { Open } from "../system.ts";

interface StepJob {
  readonly tag: string;
  readonly left: number;
}

const QUEUE = "steps";

export const open: Open = async (
  { concurrency, connections, notify, batchSize, pollSeconds },
  { url, tap },
) => {
  const ledger = new Ledger();
  const boss = new PgBoss({
    connectionString: through(url, await tap(new URL(url).host)),
    max: Number(connections),
    useListenNotify: Boolean(notify),
  });
  boss.on("error", (error) => console.error(`pg-boss: ${error.message}`));
  await boss.start();
  await boss.createQueue(QUEUE, { notify: Boolean(notify) });
  await boss.work<StepJob>(
    QUEUE,
    {
      localConcurrency: Number(concurrency),
      batchSize: Number(batchSize),
      pollingIntervalSeconds: Number(pollSeconds),
      burstWhenBatchFull: true,
    },
    async (jobs) => {
      for (const { data } of jobs) ledger.step(data.tag);
      const next = jobs.filter(({ data }) => data.left > 1).map(({ data }) => follow(data));
      if (next.length > 0) await boss.insert(QUEUE, next);
      for (const { data } of jobs) if (data.left === 1) ledger.end(data.tag);
    },
  );
  const pool = new pg.Pool({ connectionString: url, max: 1 });
  return {
    async run({ runs, steps, parallel }) {
      const tag = ledger.open();
      const first = { tag, left: parallel ? 1 : steps };
      const chains = parallel ? runs * steps : runs;
      await boss.insert(
        QUEUE,
        Array.from({ length: chains }, () => ({ data: first })),
      );
      await ledger.allEnded(tag, chains);
      const ms = await settled(
        pool,
        runs * steps,
        `select count(*) filter (where state = 'completed')::int as done,
          extract(epoch from max(completed_on) - min(created_on))::float8 * 1000 as ms
        from pgboss.job where name = $1 and data ->> 'tag' = $2`,
        [QUEUE, tag],
      );
      return { ms, steps: ledger.marks(tag).length, marks: ledger.marks(tag) };
    },
    async close() {
      await boss.stop({ graceful: false });
      await pool.end();
    },
  };
};

function follow(data: StepJob): { data: StepJob } {
  return { data: { ...data, left: data.left - 1 } };
}
