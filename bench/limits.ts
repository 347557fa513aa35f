/**
 * `npm run bench:limits`: what stands between Pawl and the targets that it misses. The queue by itself, without a database and without
 * Pawl; and what a step writes into the log, table by table and index by index.
 */
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { convertV4MiniflareOptions, Miniflare } from "miniflare";
import pg from "pg";
import { spreadOf } from "./figures.ts";
import { startServer } from "./measure/server.ts";
import { shown, spreadShown, table } from "./report/markdown.ts";
import { open } from "./systems/pawl.ts";

const ROUNDS = 5;
const ALONE = 200;
const RUNS = 1_000;
const STEPS = 5;

/** As Pawl's worker is bound to it. A message that has hops left is sent on, once for each batch. */
const HOPPING = `
let left = 0;
export default {
  async fetch(request, env) {
    const { runs, steps } = await request.json();
    left = runs;
    const messages = Array.from({ length: runs }, () => ({ body: steps - 1 }));
    for (let i = 0; i < runs; i += 100) await env.HOPS.sendBatch(messages.slice(i, i + 100));
    return new Response();
  },
  async queue(batch, env) {
    const next = batch.messages.filter(({ body }) => body > 0).map(({ body }) => ({ body: body - 1 }));
    left -= batch.messages.length - next.length;
    if (next.length > 0) await env.HOPS.sendBatch(next);
    if (left === 0) await fetch(env.OVER);
  },
};`;

async function queueAlone(): Promise<string> {
  let over = () => {};
  const listener = createServer((_, response) => {
    response.end();
    over();
  }).listen(0, "127.0.0.1");
  await once(listener, "listening");
  const mf = new Miniflare(
    convertV4MiniflareOptions({
      name: "hops",
      modules: [{ type: "ESModule", path: "worker.mjs", contents: HOPPING }],
      compatibilityDate: "2026-10-23",
      compatibilityFlags: ["nodejs_compat", "queue_consumer_no_wait_for_wait_until"],
      bindings: { OVER: `http://127.0.0.1:${(listener.address() as AddressInfo).port}` },
      queueProducers: { HOPS: "hops" },
      queueConsumers: { hops: { maxBatchSize: 30, maxBatchTimeout: 0 } },
    }),
  );
  const { origin } = await mf.ready;
  const hop = async (runs: number, steps: number): Promise<number> => {
    const done = new Promise<void>((resolve) => {
      over = resolve;
    });
    const begunAt = performance.now();
    await fetch(origin, { method: "POST", body: JSON.stringify({ runs, steps }) });
    await done;
    return performance.now() - begunAt;
  };
  const alone: number[] = [];
  const many: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    alone.push((await hop(1, ALONE)) / ALONE);
    many.push((RUNS * STEPS * 1_000) / (await hop(RUNS, STEPS)));
  }
  await mf.dispose();
  listener.close();
  return table(
    ["", "median (lowest – highest)"],
    [
      ["one message after another, ms per hop", spreadShown(spreadOf(alone))],
      [`${RUNS} messages of ${STEPS} hops, hops per second`, spreadShown(spreadOf(many))],
    ],
  );
}

/** By the relation of a record's first block; records without one by their kind. */
const LOG = `
select coalesce(case when c.relkind = 'i' then 'index ' || c.relname else c.relname end,
    r.resource_manager || ' ' || r.record_type) as what,
  count(*)::int as records, sum(r.record_length - r.fpi_length)::float8 as bytes
from pg_get_wal_records_info($1::pg_lsn, pg_current_wal_flush_lsn()) r
left join (select distinct on (start_lsn) start_lsn, relfilenode
  from pg_get_wal_block_info($1::pg_lsn, pg_current_wal_flush_lsn()) order by start_lsn, block_id) b using (start_lsn)
left join pg_class c on pg_relation_filenode(c.oid) = b.relfilenode
group by 1 order by 3 desc`;

async function logOfAStep(): Promise<string> {
  const server = await startServer();
  try {
    const url = await server.freshDatabase();
    const bed = await open({ host: "miniflare" }, { url, tap: async (address) => address });
    const client = new pg.Client({ connectionString: url });
    await client.connect();
    await client.query("create extension pg_walinspect");
    await bed.run({ runs: RUNS, steps: STEPS });
    await server.settle(url);
    const from = await server.walPosition();
    await bed.run({ runs: RUNS, steps: STEPS });
    const { rows } = await client.query<{ what: string; records: number; bytes: number }>(LOG, [from]);
    await client.end();
    await bed.close();
    const perStep = (value: number) => value / (RUNS * STEPS);
    const total = rows.reduce((sum, { bytes }) => sum + bytes, 0);
    const told = rows.filter(({ bytes }) => perStep(bytes) >= 1);
    return table(
      ["", "records per step", "bytes per step", "share"],
      [
        ...told.map(({ what, records, bytes }) => [
          what,
          shown(perStep(records)),
          shown(perStep(bytes)),
          `${((bytes / total) * 100).toFixed(0)} %`,
        ]),
        ["in all", "", shown(perStep(total)), ""],
      ],
    );
  } finally {
    await server.stop();
  }
}

console.log(`The queue alone\n\n${await queueAlone()}\n`);
console.log(`Write-ahead log of a step\n\n${await logOfAStep()}`);
