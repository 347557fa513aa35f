/** What Postgres itself takes for a durable step: one update of a run and one insert into a journal, in one commit. */
import pg from "pg";
import type { Note } from "./figures.ts";
import { createMeter } from "./measure/meter.ts";
import type { Server } from "./measure/server.ts";

/** Its name among the columns. */
export const FLOOR = "floor";
export const CLIENTS = [1, 8, 32] as const;
const WARM_UP_MS = 300;
const MEASURED_MS = 1_500;

type Step = (client: pg.Client, run: number) => Promise<unknown>;

const UPDATE = "update runs set step = step + 1, updated_at = now() where id = $1 returning id, step";
const INSERT = "insert into journal (run, seq, output, at)";

export const STYLES: Readonly<Record<string, Step>> = {
  "one statement": (client, run) =>
    client.query({
      name: "step",
      text: `with moved as (${UPDATE}) ${INSERT} select id, step, 'null', now() from moved`,
      values: [run],
    }),
  "begin, update, insert, commit": async (client, run) => {
    await client.query("begin");
    const { rows } = await client.query({ name: "update", text: UPDATE, values: [run] });
    await client.query({
      name: "insert",
      text: `${INSERT} values ($1, $2, 'null', now())`,
      values: [run, rows[0].step],
    });
    await client.query("commit");
  },
};

export function floorMetric(style: string, clients: number): string {
  return `${style}, ${clients}`;
}

export async function measureFloor(server: Server, note: Note): Promise<void> {
  const url = await server.freshDatabase();
  const pool = await Promise.all(Array.from({ length: Math.max(...CLIENTS) }, () => connected(url)));
  try {
    await pool[0]?.query(`
      create table runs (id integer primary key, step integer not null, updated_at timestamptz not null);
      create table journal (run integer, seq integer, output jsonb, at timestamptz, primary key (run, seq));
      insert into runs select id, 0, now() from generate_series(1, ${pool.length}) id`);
    for (const clients of CLIENTS) {
      for (const [style, step] of Object.entries(STYLES)) {
        await server.settle(url);
        await measure(server, pool.slice(0, clients), step, (metric, value) =>
          note(`${floorMetric(style, clients)}: ${metric}`, value),
        );
      }
    }
  } finally {
    await Promise.all(pool.map((client) => client.end()));
    await server.drop(url);
  }
}

async function measure(server: Server, clients: readonly pg.Client[], step: Step, note: Note): Promise<void> {
  await stepsWithin(WARM_UP_MS, clients, step);
  const stop = await createMeter(server)(process.pid);
  const begun = performance.now();
  const steps = await stepsWithin(MEASURED_MS, clients, step);
  const seconds = (performance.now() - begun) / 1_000;
  const { wal } = await stop();
  note("steps/s", steps / seconds);
  if (wal === undefined) return;
  note("WAL bytes per step", wal.records / steps);
  note("full-page images, bytes per step", wal.images / steps);
}

/** Each client steps a run of its own as fast as it can. */
async function stepsWithin(ms: number, clients: readonly pg.Client[], step: Step): Promise<number> {
  const until = performance.now() + ms;
  const counts = await Promise.all(
    clients.map(async (client, i) => {
      let steps = 0;
      for (; performance.now() < until; steps++) await step(client, i + 1);
      return steps;
    }),
  );
  return counts.reduce((sum, count) => sum + count, 0);
}

async function connected(url: string): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  return client;
}
