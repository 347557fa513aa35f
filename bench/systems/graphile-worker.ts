/** graphile-worker: one job is one step, and each enqueues the next. */
import { Logger, makeWorkerUtils, run } from "graphile-worker";
import pg from "pg";
import { Ledger, settled } from "../ledger.ts";
import { through } from "../measure/tap.ts";
import type { Open } from "../system.ts";

interface StepJob {
  readonly tag: string;
  readonly left: number;
}

const silent = new Logger(() => () => {});
const TASK = "step";

export const open: Open = async ({ concurrency, connections, localQueue }, { url, tap }) => {
  const ledger = new Ledger();
  const runner = await run({
    noHandleSignals: true,
    taskList: {
      async [TASK](payload, { addJob }) {
        const { tag, left } = payload as StepJob;
        ledger.step(tag);
        if (left > 1) await addJob(TASK, { tag, left: left - 1 });
      },
    },
    preset: {
      worker: {
        connectionString: through(url, await tap(new URL(url).host)),
        concurrentJobs: Number(concurrency),
        maxPoolSize: Number(connections),
        logger: silent,
        ...(localQueue ? { localQueue: { size: Number(localQueue) }, completeJobBatchDelay: 0 } : {}),
      },
    },
  });
  const utils = await makeWorkerUtils({ connectionString: url, logger: silent });
  let lastEnd = 0;
  runner.events.on("job:complete", ({ job, error }) => {
    if (error === null || error === undefined) ledger.end((job.payload as StepJob).tag);
    lastEnd = performance.now();
  });
  const pool = new pg.Pool({ connectionString: url, max: 1 });
  return {
    async run({ runs, steps, parallel }) {
      const tag = ledger.open();
      const chains = parallel ? runs * steps : runs;
      const payload = { tag, left: parallel ? 1 : steps };
      const begun = performance.now();
      await utils.addJobs(Array.from({ length: chains }, () => ({ identifier: TASK, payload })));
      await ledger.allEnded(tag, runs * steps);
      // A job that is over leaves no trace, so the clock is this process's.
      const ms = lastEnd - begun;
      await settled(
        pool,
        1,
        "select (count(*) = 0)::int as done, 0::float8 as ms from graphile_worker.jobs",
        [],
      );
      return { ms, steps: ledger.marks(tag).length, marks: ledger.marks(tag) };
    },
    async close() {
      await Promise.all([runner.stop(), utils.release()]);
      await pool.end();
    },
  };
};
