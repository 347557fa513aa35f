/** DBOS: runs in this process, started at once or through a queue that it polls. */
import { DBOS } from "@dbos-inc/dbos-sdk";
import pg from "pg";
import { Ledger, settled } from "../ledger.ts";
import { through } from "../measure/tap.ts";
import type { Open } from "../system.ts";
import { perform, type Work } from "../work.ts";

const QUEUE = "bench";

export const open: Open = async ({ connections, queue }, { url, tap }) => {
  const ledger = new Ledger();
  const workflow = DBOS.registerWorkflow(
    async (work: Work & { tag: string }) => {
      await perform(work, {
        run: () => DBOS.runStep(async () => ledger.step(work.tag, work.bytes), { name: "no-op" }),
        sleep: (ms) => DBOS.sleep(ms),
      });
      ledger.end(work.tag);
    },
    { name: "bench" },
  );
  DBOS.setConfig({
    name: "bench",
    systemDatabaseUrl: through(url, await tap(new URL(url).host)),
    systemDatabasePoolSize: Number(connections),
    logLevel: "error",
  });
  await DBOS.launch();
  if (queue) await DBOS.registerQueue(QUEUE);
  const pool = new pg.Pool({ connectionString: url, max: 1 });
  return {
    async run(work) {
      const tag = ledger.open();
      const params = queue ? { queueName: QUEUE } : {};
      const handles = await Promise.all(
        Array.from({ length: work.runs }, () => DBOS.startWorkflow(workflow, params)({ ...work, tag })),
      );
      await ledger.allEnded(tag, work.runs);
      const ms = await settled(
        pool,
        work.runs,
        `select count(*) filter (where status = 'SUCCESS')::int as done,
          (max(completed_at) - min(created_at))::float8 as ms
        from dbos.workflow_status where workflow_uuid = any($1)`,
        [handles.map(({ workflowID }) => workflowID)],
      );
      return { ms, steps: ledger.marks(tag).length, marks: ledger.marks(tag) };
    },
    async close() {
      await DBOS.shutdown();
      await pool.end();
    },
  };
};
