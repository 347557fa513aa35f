/** openworkflow: its worker polls Postgres and performs runs in this process. */
import { OpenWorkflow } from "openworkflow";
import { BackendPostgres } from "openworkflow/postgres";
import pg from "pg";
import postgres from "postgres";
import { Ledger, settled } from "../ledger.ts";
import { through } from "../measure/tap.ts";
import type { Open } from "../system.ts";
import { perform, type Work } from "../work.ts";

export const open: Open = async ({ concurrency, connections }, { url, tap }) => {
  const tapped = through(url, await tap(new URL(url).host));
  await (await BackendPostgres.connect(tapped)).stop();
  const sql = postgres(tapped, {
    max: Number(connections),
    transform: { column: { from: postgres.toCamel } },
  });
  const workflows = new OpenWorkflow({ backend: BackendPostgres.fromPool(sql) });
  const ledger = new Ledger();
  const workflow = workflows.defineWorkflow<Work & { tag: string }, void>(
    { name: "bench" },
    async ({ input, step }) => {
      await perform(input, {
        run: () => step.run({ name: "no-op" }, () => ledger.step(input.tag, input.bytes)),
        sleep: (ms) => step.sleep("nap", `${ms}ms`),
      });
      ledger.end(input.tag);
    },
  );
  const worker = workflows.newWorker({ concurrency: Number(concurrency) });
  await worker.start();
  const pool = new pg.Pool({ connectionString: url, max: 1 });
  return {
    async run(work) {
      const tag = ledger.open();
      const input = { ...work, tag };
      const handles = await Promise.all(Array.from({ length: work.runs }, () => workflow.run(input)));
      await ledger.allEnded(tag, work.runs);
      const ms = await settled(
        pool,
        work.runs,
        `select count(*) filter (where status = 'completed')::int as done,
          extract(epoch from max(finished_at) - min(created_at))::float8 * 1000 as ms
        from openworkflow.workflow_runs where id = any($1)`,
        [handles.map(({ workflowRun }) => workflowRun.id)],
      );
      return { ms, steps: ledger.marks(tag).length, marks: ledger.marks(tag) };
    },
    async close() {
      await worker.stop();
      await Promise.all([sql.end(), pool.end()]);
    },
  };
};
