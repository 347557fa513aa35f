/** After the storm: nothing breaks any more, people do what runs wait for, and everything must come to its end. */
import { setTimeout as pause } from "node:timers/promises";
import type { Bed } from "./bed.ts";
import type { Book } from "./book.ts";
import type { Client } from "./client.ts";
import type { Ticker } from "./ticker.ts";
import type { Workload } from "./workload.ts";

/** By then everything is over (L5): many times what a loaded machine needed. */
const BOUND_MS = 240_000;
const PACE_MS = 300;

export interface Recovery {
  readonly unfinishedBefore: number;
  /** What the machine took. */
  readonly tookMs: number;
  /** How far the clock was moved for those who only waited for time. */
  readonly sleptMs: number;
  readonly isOver: boolean;
}

/** A fragile run is not over before somebody has revived it. */
const UNFINISHED = `select count(*)::int as count from pawl.runs
  where status in ('ready', 'running', 'waiting', 'paused') or (status = 'failed' and workflow = 'fragile')`;

export async function countUnfinished({ database }: Bed): Promise<number> {
  const [row] = await database.rows<{ count: number }>(UNFINISHED);
  return row?.count ?? 0;
}

export async function heal(
  bed: Bed,
  { client, book, workload, ticker }: { client: Client; book: Book; workload: Workload; ticker: Ticker },
): Promise<Recovery> {
  const startedAt = Date.now();
  const unfinishedBefore = await countUnfinished(bed);
  let sleptMs = 0;
  let isOver = false;
  for (let pass = 1; !isOver && Date.now() - startedAt < BOUND_MS; pass++) {
    await workload.settleStarts();
    await help(bed, client, book, pass);
    ticker.tick();
    sleptMs += await letTimePass(bed);
    await pause(PACE_MS);
    isOver = await isEverythingOver(bed, book);
  }
  return { unfinishedBefore, tookMs: Date.now() - startedAt, sleptMs, isOver };
}

async function isEverythingOver(bed: Bed, book: Book): Promise<boolean> {
  if (book.asked.some(({ ids }) => ids.size === 0)) return false;
  if ((await countUnfinished(bed)) > 0) return false;
  const [events] = await bed.database.rows<{ left: number }>(
    `select (select count(*) from pawl.outbox where routed_at is null)::int
       + (select count(*) from pawl.outbox_sends where status = 'pending')::int as left`,
  );
  return events?.left === 0;
}

/** What somebody outside has to do: resume, revive, sign, say what became of a charge. */
async function help({ database }: Bed, client: Client, book: Book, pass: number): Promise<void> {
  const ids = async (sql: string) => (await database.rows<{ id: string }>(sql)).map(({ id }) => id);
  for (const id of await ids("select id from pawl.runs where paused_at is not null"))
    await client.post("resume", `/api/runs/${id}/resume`);
  for (const id of await ids("select id from pawl.runs where status = 'failed' and workflow = 'fragile'")) {
    book.mended.add(id);
    await client.post("revive", `/api/dead-letters/${id}/revive`);
  }
  const groups = await database.rows<{ name: string }>("select distinct name from pawl.run_groups");
  for (const { name } of groups) {
    const path = `/api/groups/${encodeURIComponent(name)}/signals/go`;
    await client.post("signal group", path, { id: `last ${pass}` });
  }
  await sign(database, client, book);
  await sayWhatBecame(database, client, book, pass);
}

/** Only as many as were never acknowledged: one that was must have arrived (V10). */
async function sign(database: Bed["database"], client: Client, book: Book): Promise<void> {
  const waiting = await database.rows<{ id: string; signals: number }>(
    `select r.id, (r.input ->> 'signals')::int as signals from pawl.runs r
     join pawl.waits w on w.run_id = r.id where w.kind = 'signal' and w.name = 'approve'`,
  );
  for (const { id: runId, signals } of waiting) {
    for (let have = book.signals.get(runId)?.size ?? 0; have < signals; have++) {
      const id = `last ${have}`;
      const path = `/api/runs/${runId}/signals/approve`;
      const { outcome } = await client.post("signal", path, { id, payload: id });
      if (outcome === "ok") book.signal(runId, id);
    }
  }
}

async function sayWhatBecame(
  database: Bed["database"],
  client: Client,
  book: Book,
  pass: number,
): Promise<void> {
  const waiting = await database.rows<{ id: string; key: string }>(
    "select run_id as id, key from pawl.waits where kind = 'person'",
  );
  for (const [i, { id, key }] of waiting.entries()) {
    const again = (pass + i) % 2 === 0;
    const word = again ? { outcome: "again" } : { outcome: "done", output: "by hand" };
    const { outcome } = await client.post("word", `/api/runs/${id}/steps/${key}/resolve`, word);
    if (again && outcome !== "refused") book.again.set(id, (book.again.get(id) ?? 0) + 1);
  }
}

/** When nobody works and nothing is due, the clock goes on to what comes next; gives by how much. */
async function letTimePass(bed: Bed): Promise<number> {
  const [state] = await bed.database.rows<{ busy: boolean; next_in_ms: number | null }>(
    `with times as (
       select wake_at as at, lease_expires_at is not null as busy from pawl.runs
       where status in ('ready', 'running', 'waiting')
       union all select wake_at, lease_expires_at is not null from pawl.branches
       union all select next_at, false from pawl.outbox_sends where status = 'pending'
     )
     select coalesce(bool_or(busy or at <= pawl.clock()), false) as busy,
       ceil(extract(epoch from min(at) - pawl.clock()) * 1000)::float8 as next_in_ms from times`,
  );
  const ms = state?.busy ? 0 : Math.max(0, state?.next_in_ms ?? 0);
  if (ms > 0) await bed.moveClock(ms);
  return ms;
}
