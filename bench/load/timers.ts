/** Ten thousand sleeps that are over at the same moment, beside callers who notice nothing of it. */
import { setTimeout as pause } from "node:timers/promises";
import type pg from "pg";
import { type Host, TOKEN } from "../host.ts";

const TIMERS = 10_000;
/** Longer than the queue can delay a wake-up: the cron has to find them. */
const NAP_MS = 25 * 3_600_000;
const IDLE_ROUNDS = 150;
const BETWEEN_MS = 20;

export interface Drained {
  readonly seconds: number;
  /** By the name of the request: its time while nothing else happens and during the drain, in milliseconds. */
  readonly latencies: readonly Latency[];
}

export interface Latency {
  readonly request: string;
  readonly idle: Percentiles;
  readonly busy: Percentiles;
}

interface Percentiles {
  readonly median: number;
  readonly p95: number;
}

type Times = Map<string, number[]>;

export async function drainTimers(host: Host, client: pg.Client): Promise<Drained> {
  await inBatches(host);
  await until(client, "status = 'waiting'");
  const [{ id } = { id: "" }] = (
    await client.query("select id from pawl.runs where workflow = 'nap' limit 1")
  ).rows;
  const idle: Times = new Map();
  for (let round = 0; round < IDLE_ROUNDS; round++) await callAll(host, id, idle);

  await client.query(`create or replace function pawl.clock() returns timestamptz language sql volatile as
    $$ select clock_timestamp() + ${NAP_MS} * interval '1 ms' $$`);
  const busy: Times = new Map();
  let over = false;
  const begun = performance.now();
  await host.tick();
  const calling = (async () => {
    while (!over) await callAll(host, id, busy);
  })();
  await until(client, "status = 'completed'");
  const seconds = (performance.now() - begun) / 1_000;
  over = true;
  await calling;
  return {
    seconds,
    latencies: [...idle].map(([request, times]) => ({
      request,
      idle: percentiles(times),
      busy: percentiles(busy.get(request) ?? []),
    })),
  };
}

async function inBatches(host: Host): Promise<void> {
  const runs = Array.from({ length: 500 }, () => ({ input: { ms: NAP_MS } }));
  for (let started = 0; started < TIMERS; started += runs.length) {
    await call(host, "/api/workflows/nap/runs:batch", { runs });
  }
}

async function until(client: pg.Client, condition: string): Promise<void> {
  for (;;) {
    const { rows } = await client.query(
      `select count(*)::int as done from pawl.runs where tenant = 'default' and workflow = 'nap' and ${condition}`,
    );
    if (rows[0].done === TIMERS) return;
    await pause(500);
  }
}

async function callAll(host: Host, id: string, times: Times): Promise<void> {
  const requests: readonly [string, string, object?][] = [
    ["read a run", `/api/runs/${id}`],
    ["list runs", "/api/runs"],
    ["start a run", "/api/workflows/sequence/runs", { input: { steps: 0 }, delay: "1 week" }],
  ];
  for (const [name, path, body] of requests) {
    const begun = performance.now();
    await call(host, path, body);
    times.set(name, [...(times.get(name) ?? []), performance.now() - begun]);
    await pause(BETWEEN_MS);
  }
}

async function call({ url }: Host, path: string, body?: object): Promise<void> {
  const answer = await fetch(`${url}${path}`, {
    method: body === undefined ? "GET" : "POST",
    headers: { authorization: `Bearer ${TOKEN}`, "content-type": "application/json" },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  const text = await answer.text();
  if (!answer.ok) throw new Error(`${path} gave ${answer.status}: ${text}`);
}

function percentiles(times: readonly number[]): Percentiles {
  const sorted = times.toSorted((a, b) => a - b);
  const at = (share: number) => sorted[Math.floor(sorted.length * share)] ?? Number.NaN;
  return { median: at(0.5), p95: at(0.95) };
}
